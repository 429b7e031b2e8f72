from __future__ import annotations

import pytest

from chatapp.answering.check import check_sentence
from chatapp.answering.figures import missing_numbers
from chatapp.answering.sentences import SentenceKind
from chatapp.answering.sentinels import sentinel

SOURCE = "The basin covers 7,000,000 square kilometres. About 14.5 % is protected. He said: “We will not sell it.”"


def test_word_for_word_is_supported() -> None:
    verdict = check_sentence(sentence=f"About 14.5 % is protected{sentinel(1)}.", sources=[SOURCE])
    assert (verdict.verdict, verdict.score) == ("supported", 1.0)


def test_sentence_found_in_any_of_its_sources_is_supported() -> None:
    assert check_sentence(sentence="About 14.5 % is protected.", sources=["Other text.", SOURCE]).verdict == "supported"


def test_paraphrase_stays_unchecked_with_its_score() -> None:
    verdict = check_sentence(sentence="Some 14.5 % of the basin is safeguarded today.", sources=[SOURCE])
    assert verdict.verdict == "unchecked"
    assert 0 < verdict.score < 1


def test_number_that_is_nowhere_is_unsupported_and_named() -> None:
    verdict = check_sentence(sentence="About 14.2 % is protected.", sources=[SOURCE])
    assert verdict.verdict == "unsupported"
    assert verdict.reasons == ("number 14.2 not in the source",)


def test_quotation_that_is_nowhere_is_unsupported() -> None:
    verdict = check_sentence(sentence="He said “We will sell it all” at once.", sources=[SOURCE])
    assert verdict.verdict == "unsupported"
    assert "We will sell it all" in verdict.reasons[0]
    assert check_sentence(sentence='He said "We will not sell it" at once.', sources=[SOURCE]).verdict == "unchecked"


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("## Parking", "heading"),
        ("Shall I go on?", "question"),
        ("The reasons are:", "lead"),
        ("```\nx\n```", "code"),
        ("Hello, nice to meet you.", "statement"),
        ("I hope this helps.", "statement"),
    ],
)
def test_what_states_nothing_needs_no_source(sentence: str, kind: SentenceKind) -> None:
    assert check_sentence(sentence=sentence, kind=kind).verdict == "exempt"


def test_statement_without_source_is_uncited() -> None:
    assert check_sentence(sentence="Parking is free.").verdict == "uncited"
    assert check_sentence(sentence="Sure, it costs 5 euro.").verdict == "uncited"
    assert check_sentence(sentence="Nothing on parking.", no_answer=True).verdict == "exempt"


def test_heading_with_a_citation_is_checked_like_a_statement() -> None:
    assert check_sentence(sentence="## 99 rules", kind="heading", sources=[SOURCE]).verdict == "unsupported"


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("7000000 km", "7,000,000 km"),
        ("7 million km", "7,000,000 km"),
        ("2.5 Mio. Euro", "2.500.000 Euro"),
        ("12,5 Prozent", "12.5 percent"),
        ("1 000 people", "1,000 people"),
        ("1'000 people", "1000 people"),
        ("9 nations", "nine nations"),
        ("3 Länder", "drei Länder"),
        ("on 1990-10-03", "on 3 October 1990"),
        ("on 3.10.1990", "am 3. Oktober 1990"),
        ("the 1990s", "in 1990"),
        ("5 % of it", "5 percent of it"),
        ("1. First step", "first step"),
        ("$4.093 million", "$4.093 million"),
    ],
)
def test_same_number_in_another_notation_is_found(sentence: str, source: str) -> None:
    assert missing_numbers(sentence, (source,)) == []


@pytest.mark.parametrize(
    ("sentence", "source", "missing"),
    [
        ("12 of them", "2 of them", ["12"]),
        ("14.2 km", "142 km", ["14.2"]),
        ("in 1991", "in 1990", ["1991"]),
    ],
)
def test_other_number_is_missing(sentence: str, source: str, missing: list[str]) -> None:
    assert missing_numbers(sentence, (source,)) == missing


def test_numbers_of_the_question_are_allowed() -> None:
    assert missing_numbers("In 2024 nothing changed", ("Nothing changed.",), question="What about 2024?") == []
