"""The verifier over the vectors of the real word pieces."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.answering.sentinels import sentinel
from chatapp.answering.verification import Claim, Judgement, Verifier, default_record, reading
from chatapp.answering.verification.verifier import BY_CHANCE
from knowledge.errors import EmbeddingFailed

BASIN = (
    "The Amazon basin covers about 7 million square kilometres. About 14.5 % of it is protected by law. "
    "Brazil holds the largest part of the rainforest, and Peru the second largest. Logging is not allowed in parks."
)
PARKING = "Guests may leave their cars in the yard behind the north gate for 90 minutes. Staff use the cellar."


def judge(verifier: Verifier, statement: str, *sources: str, question: str = "") -> Judgement:
    return verifier.judge([Claim(statement=statement, sources=sources, question=question)])[0]


@pytest.mark.parametrize(
    "statement",
    [
        "Visitors can park for 90 minutes in the yard by the north gate.",
        f"**Guests** may leave cars behind the north gate, in the yard, for 90 minutes{sentinel(1)}.",
    ],
)
def test_a_paraphrase_is_supported(verifier: Verifier, statement: str) -> None:
    found = judge(verifier, statement, PARKING)
    assert (found.verdict, found.reasons) == ("supported", ("the source says this in other words",))
    assert found.judged_by in BY_CHANCE
    assert found.score >= default_record().supported
    assert found.evidence is not None
    assert "90 minutes" in PARKING[found.evidence.start : found.evidence.end]


def test_reference_marks_are_no_numbers(verifier: Verifier) -> None:
    assert (
        judge(verifier, "Visitors can park for 90 minutes in the yard by the north gate [7].", PARKING).verdict
        == "supported"
    )
    assert judge(verifier, "Guests may leave their cars in the yard[12] behind the north gate[3].", PARKING).score > 0.8


def test_exact_words_are_certain(verifier: Verifier) -> None:
    found = judge(verifier, "About 14.5 % of it is protected by law.", PARKING, BASIN)
    assert (found.verdict, found.score, found.judged_by) == ("supported", 1.0, "check")
    assert found.evidence is not None
    assert found.evidence.source == 1
    assert BASIN[found.evidence.start : found.evidence.end] == "About 14.5 % of it is protected by law."


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("Some 14.2 % of the basin is protected by law.", "number 14.2 not in the source"),
        (
            "Peru holds the second largest part of the rainforest, and Bolivia the largest.",
            "name Bolivia not in the source",
        ),
        ("Logging is allowed in parks.", "a negation stands on one side only"),
        ("The law says “logging is a crime in parks”.", "quotation not in the source: “logging is a crime in parks”"),
    ],
)
def test_what_was_altered_is_named(verifier: Verifier, statement: str, reason: str) -> None:
    found = judge(verifier, statement, BASIN)
    assert (found.verdict, found.judged_by, found.open) == ("unsupported", "check", False)
    assert reason in found.reasons


def test_words_out_of_a_sentence_that_denies_them_are_not_supported(verifier: Verifier) -> None:
    source = "It is not true that the drug is safe for children. Ask a doctor first."
    found = judge(verifier, "The drug is safe for children.", source)
    assert (found.verdict, found.reasons) == ("unsupported", ("a negation stands on one side only",))


def test_another_matter_is_not_found_in_the_source(verifier: Verifier) -> None:
    found = judge(verifier, "The committee elected a new treasurer after the spring meeting.", BASIN)
    assert (found.verdict, found.reasons) == ("unsupported", ("hardly anything of what it says is there",))


def test_one_of_several_sources_is_enough(verifier: Verifier) -> None:
    found = judge(verifier, "Visitors can park for 90 minutes in the yard by the north gate.", BASIN, PARKING)
    assert found.verdict == "supported"
    assert found.evidence is not None
    assert found.evidence.source == 1


def test_evidence_in_quite_other_words_is_found_by_meaning(verifier: Verifier) -> None:
    source = "The meeting begins at noon. Automobiles can be put behind the building. Lunch is served upstairs."
    found = judge(verifier, "Parking is at the rear.", source)
    assert found.evidence is not None
    assert "Automobiles" in source[found.evidence.start : found.evidence.end]


def test_numbers_and_names_of_the_question_need_no_source(verifier: Verifier) -> None:
    question = "Does Otto, room 77, park in the yard behind the north gate?"
    statement = "Guests like Otto of room 77 may leave their cars in the yard behind the north gate."
    assert "number 77 not in the source" in judge(verifier, statement, PARKING).reasons
    assert judge(verifier, statement, PARKING, question=question).reasons == ("the source says this in other words",)


@pytest.mark.parametrize("sources", [(), ("",), (" \n ",), ("…",)])
def test_sources_without_words_hold_nothing(verifier: Verifier, sources: tuple[str, ...]) -> None:
    found = judge(verifier, "Guests may park in the yard.", *sources)
    assert found.verdict == ("unsupported" if sources else "uncited")
    for source in sources:
        assert found.evidence is None or 0 <= found.evidence.start <= found.evidence.end <= len(source)


def test_small_talk_and_headings_are_exempt(verifier: Verifier) -> None:
    assert judge(verifier, "Happy to help!").verdict in ("exempt", "uncited")
    assert judge(verifier, "Hello, thanks for asking.").verdict == "exempt"


def test_each_claim_of_many_is_judged_as_it_is_alone(verifier: Verifier) -> None:
    claims = [
        Claim(statement="Visitors can park for 90 minutes in the yard by the north gate.", sources=(PARKING,)),
        Claim(statement="Some 14.2 % is protected.", sources=(BASIN,)),
        Claim(statement="Cars stand in the yard.", sources=(BASIN, PARKING)),
        Claim(statement="Nothing.", sources=()),
    ]
    together = verifier.judge(claims)
    alone = [verifier.judge([claim])[0] for claim in claims]
    assert [each.verdict for each in together] == [each.verdict for each in alone]
    for one, two in zip(together, alone, strict=True):
        assert one.score == pytest.approx(two.score, abs=0.01)
    assert verifier.judge([]) == []


def test_without_vectors_words_are_read() -> None:
    by_words = judge(Verifier(), "Guests may leave cars behind the north gate, in the yard.", PARKING)
    assert by_words.verdict == "supported"

    class Away:
        def states(self, texts: Any) -> Any:
            raise EmbeddingFailed("away")

    away: Any = Away()
    assert judge(Verifier(away), "Guests may leave cars behind the north gate, in the yard.", PARKING) == by_words


def test_vectors_of_sources_are_made_once_and_only_so_many_are_kept(
    monkeypatch: pytest.MonkeyPatch, table: Any
) -> None:
    made: list[int] = []
    real = reading.source_vectors

    def counting(texts: Any, *, table: Any) -> Any:
        made.append(len(texts))
        return real(texts, table=table)

    monkeypatch.setattr(reading, "source_vectors", counting)
    monkeypatch.setattr(reading, "KEPT_SOURCES", 2)
    verifier = Verifier(table)
    for source in (PARKING, PARKING, BASIN, "A third text of words.", PARKING):
        judge(verifier, "Cars stand somewhere.", source)
    assert made == [1, 0, 1, 1, 1]


def test_german_is_judged_too(verifier: Verifier) -> None:
    source = "Gäste dürfen ihr Auto 90 Minuten lang im Hof hinter dem Nordtor abstellen. Mitarbeiter nutzen den Keller."
    assert (
        judge(verifier, "Im Hof hinter dem Nordtor dürfen Gäste ihr Auto 90 Minuten abstellen.", source).verdict
        == "supported"
    )
    assert "number 60 not in the source" in judge(verifier, "Gäste dürfen 60 Minuten im Hof stehen.", source).reasons


def test_the_record_says_where_it_comes_from_and_how_good_it_is() -> None:
    record = default_record()
    assert record.data == "groundedness"
    assert record.date >= "2026-11-26"
    assert min(record.fitted, record.judged) > 400
    assert record.tiers["vectors"].quality["balanced_accuracy"] >= 0.72
    assert 0 < record.unsupported < record.supported < 1
