from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.answering.evidence import locate, quotations
from chatapp.answering.folding import fold, plain
from chatapp.answering.sentinels import sentinel, strip_sentinels

PASSAGE = (
    "The library opens at nine. Members may borrow up to 12 books for four weeks. "
    "A late book costs 0.50 euro a day. The reading room on the second floor has 80 seats. "
    "Members return books at the desk. Groups book the reading room a week ahead."
)


def words(sentence: str, passage: str = PASSAGE, **options: str) -> str:
    found = locate(sentence, passage, **options)
    return passage[found.start : found.end]


def test_whole_sentence_is_found_word_for_word() -> None:
    found = locate(f"- Members return books at the desk.{sentinel(1)}", PASSAGE)
    assert PASSAGE[found.start : found.end] == "Members return books at the desk."
    assert found.verbatim
    assert found.score == 1.0


@pytest.mark.parametrize(
    ("passage", "sentence", "expected"),
    [
        ("He said “it’s  ﬁne” – twice.", 'He said "it\'s fine" - twice.', "He said “it’s  ﬁne” – twice."),
        ("a soft\u00adware\nproject", "A project is software project", None),
        ("The soft\u00adware\nproject ended.", "The software project ended.", "The soft\u00adware\nproject ended."),
        ("It rose.[12] Then fell.", "It rose. Then fell.", "It rose.[12] Then fell."),
        ("Use **bold** words here.", "Use bold words here.", "Use **bold** words here."),
        ("full width １２ kg here", "full width 12 kg here", "full width １２ kg here"),
    ],
)
def test_typography_is_folded_and_offsets_stay_exact(passage: str, sentence: str, expected: str | None) -> None:
    found = locate(sentence, passage)
    assert found.verbatim == (expected is not None)
    if expected is not None:
        assert passage[found.start : found.end] == expected


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("It adds: [A court may order it.] More.", "[A court may order it.]"),
        ("(“A court may order it.”)", "(“A court may order it.”)"),
        ("See rule(A court may order it), so.", "A court may order it"),
        ("It says [A court may order it](https://a.test/).", "[A court may order it"),
    ],
)
def test_signs_around_the_words_belong_to_them(passage: str, expected: str) -> None:
    assert words("A court may order it.", passage) == expected


def test_verbatim_needs_whole_words() -> None:
    assert not locate("The cat sat", "The cat satisfied everyone.").verbatim


def test_best_sentence_is_chosen() -> None:
    assert words("You can take home 12 books.") == "Members may borrow up to 12 books for four weeks."


def test_window_grows_over_sentences_that_add_something() -> None:
    found = words("Members borrow 12 books for four weeks and pay 0.50 euro a day for a late one.")
    assert found == "Members may borrow up to 12 books for four weeks. A late book costs 0.50 euro a day."


def test_exact_quotation_wins() -> None:
    assert words("The rules speak of “the reading room on the second floor” only in passing.") != ""
    assert words("The rules say that “Groups book the reading room” early.") == "Groups book the reading room"


def test_words_of_the_question_count_less() -> None:
    question = "What about the reading room for groups?"
    assert "80 seats" in words("The reading room has 80 seats.", question=question)


def test_without_common_words_the_whole_passage_is_shown_with_score_zero() -> None:
    found = locate("Zebras gallop.", f"  {PASSAGE} \n")
    assert (found.start, found.end, found.score) == (2, 2 + len(PASSAGE), 0.0)


@given(sentence=st.text(max_size=80), passage=st.text(min_size=1, max_size=120))
def test_range_is_never_empty_and_stays_inside(sentence: str, passage: str) -> None:
    found = locate(sentence, passage)
    assert 0 <= found.start < found.end <= len(passage)
    assert 0.0 <= found.score <= 1.0


@given(st.text(max_size=80))
def test_every_folded_character_maps_back(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.offsets)
    assert list(folded.offsets) == sorted(folded.offsets)


def test_quotations_are_longer_than_names() -> None:
    assert quotations('the "API" says "no answer today" and „genau so ist es“') == [
        "no answer today",
        "genau so ist es",
    ]


def test_plain_removes_marks_and_bullets() -> None:
    assert plain(f"- **Bold** and `code` of a_name{sentinel(2)}") == "Bold and code of a_name"
    assert plain(r"1. \*star\*") == "*star*"


def test_sentinels_can_be_written_out_or_removed() -> None:
    assert strip_sentinels(f"Blue{sentinel(12)}.") == "Blue[12]."
    assert strip_sentinels(f"Blue{sentinel(12)}.", "") == "Blue."


def test_locating_is_fast() -> None:
    passage = PASSAGE * 6
    locate("Members", passage)
    started = time.perf_counter()
    for number in range(50):
        locate(f"Members may borrow {number} books and sit on the second floor of the house.", passage)
    assert (time.perf_counter() - started) / 50 < 0.005  # 0.1 ms measured; room for a busy machine
