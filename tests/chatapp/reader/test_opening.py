from __future__ import annotations

import pytest

from chatapp.reader.opening import same_words


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """Take the brackets out of a text and return where they stood."""
    start, end = text.index("["), text.index("]") - 1
    return text.replace("[", "").replace("]", ""), (start, end)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("The rent is [1,200] euros.", "Since May the rent is [1,200] euros."),
        ("Rent 90. Heating [90]. Water 90.", "Rent 90. Heating [90]. Water 90. Power 90."),
        ("A: same. B: [same].", "Preface. A: same. B: [same]."),
        ("[all of it]", "[all of it]"),
        ("😀 [word] here", "😀😀 [word] here"),
    ],
)
def test_the_same_words_are_found_in_the_place_most_like_theirs(old: str, new: str) -> None:
    old_text, match = marked(old)
    new_text, expected = marked(new)
    assert same_words(old_text, match, new_text) == expected


def test_words_that_are_gone_are_found_nowhere() -> None:
    text, match = marked("The rent is [1,200] euros.")
    assert same_words(text, match, "The rent is 1,300 euros.") is None
    assert same_words(text, match, "") is None


def test_words_on_every_line_of_a_long_text_are_compared_to_an_end() -> None:
    text, match = marked("x [the] y")
    assert same_words(text, match, "the " * 200_000) is not None
