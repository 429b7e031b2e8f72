from __future__ import annotations

import pytest

from chatapp.answering.verification import Claim, Verifier
from chatapp.answering.verification.displaced import displaced

SOURCE = (
    "The town library was opened in 1957 by the mayor. The market hall burned down in 1823 and was built again in 1826. "
    "Some 40 traders rent a stall there today."
)


@pytest.mark.parametrize(
    ("statement", "moved"),
    [
        ("The town library was opened in 1823 by the mayor.", ["1823"]),
        ("The town library was opened by the mayor in 40.", ["40"]),
        ("The town library was opened in 1957 by the mayor.", []),
        ("The market hall burned down in 1826 and was built again in 1823.", []),  # both stand in that sentence
        ("Today 40 traders rent stalls in the market hall, which was built again in 1826.", []),  # of two sentences
        ("In 1957 a library came.", []),  # hardly any of its words: where it is from cannot be told
        ("The town library was opened by the mayor.", []),
        ("40.", []),
        ("", []),
    ],
)
def test_a_number_must_stand_with_the_words_it_is_said_with(statement: str, moved: list[str]) -> None:
    assert displaced(statement, [SOURCE]) == moved


def test_a_year_that_stands_one_sentence_earlier_is_no_error() -> None:
    source = "It happened in 1911. The old bridge over the river was closed and sold to a circus."
    assert displaced("The bridge over the river was closed and sold in 1911.", [source]) == []
    assert displaced("The old bridge was sold.", [source], question="What happened in 1911?") == []


def test_numbers_of_the_question_and_of_another_source_count() -> None:
    statement = "The town library was opened in 1901 by the mayor."
    assert displaced(statement, [SOURCE, "Since 1901 there is a pier."]) == ["1901"]
    assert displaced(statement, [SOURCE, "The town library was opened in 1901 by the mayor, some say."]) == []
    assert displaced(statement, [SOURCE], question="Was it 1901?") == []


def test_the_reason_says_where_the_number_is() -> None:
    [judged] = Verifier().judge(
        [Claim(statement="The town library was opened in 1823 by the mayor.", sources=(SOURCE,))]
    )
    assert judged.verdict == "unsupported"
    assert judged.reasons == ("number 1823 stands elsewhere in the source, not with these words",)
