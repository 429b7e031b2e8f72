from __future__ import annotations

from knowledge.parsing.office import Notices, said, tidy


def test_lines_are_tidy() -> None:
    assert tidy(" one\r\n\r\n\ttwo  three \rfour\n") == "one\ntwo  three\nfour"


def test_comments_name_their_author_if_there_is_one() -> None:
    assert said("Ann \n B.", "Why?") == "Comment by Ann B.: Why?"
    assert said(None, "Why?") == said(" ", "Why?") == "Comment: Why?"
    assert said("Ann", "So.", reply=True) == "Reply by Ann: So."


def test_a_warning_names_its_slides_once() -> None:
    notices = Notices()
    for slide in (3, 3, 5):
        notices.add("Seen: {slides}.", slide)
    notices.add("Also: {slides}.", 1)
    assert notices.sentences() == ("Seen: slides 3 and 5.", "Also: slide 1.")


def test_a_long_list_of_slides_is_cut() -> None:
    notices = Notices()
    for slide in range(1, 12):
        notices.add("{slides}", slide)
    assert notices.sentences() == ("slides 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1 other",)
