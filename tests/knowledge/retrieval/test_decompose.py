from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from knowledge.retrieval import DEFAULT, retrieve
from knowledge.retrieval.decompose import split_question
from knowledge.types import Query, Rewritten

APART = replace(DEFAULT, decompose=True, floor=0.0)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("What is a tide?", ("What is a tide?",)),
        ("What is a tide? How often does it come?", ("What is a tide?", "How often does it come?")),
        ("Who may park and where is the key kept?", ("Who may park", "where is the key kept?")),
        ("Wer darf parken und wo liegt der Schlüssel?", ("Wer darf parken", "wo liegt der Schlüssel?")),
        ("I have a boat. Where may it lie? What does that cost?",
         ("I have a boat. Where may it lie?", "I have a boat. What does that cost?")),
        ("What is the difference between a tide and what is called a surge?",
         ("What is the difference between a tide and what is called a surge?",)),
        ("Salt and pepper prices", ("Salt and pepper prices",)),
        ("What is salt? Thanks!", ("What is salt? Thanks!",)),
        ("", ("",)),
        ("Is it a problem that the U.S. law differs? Which law applies to us?",
         ("Is it a problem that the U.S. law differs?", "Which law applies to us?")),
        ("Who may park here? Only staff? Where is the key kept?",
         ("Who may park here? Only staff?", "Where is the key kept?")),
    ],
)  # fmt: skip
def test_questions_in_a_text(text: str, parts: tuple[str, ...]) -> None:
    assert split_question(text) == parts


def test_no_more_than_four_parts_whatever_comes() -> None:
    assert len(split_question("What is it called? " * 3_000)) <= 4


def test_passages_of_all_parts_come_in_turns_within_the_limit(world: Any) -> None:
    for number in range(4):
        world.add(f"Herons {number}", f"The heron hunts fish in river number {number}.")
    world.add("Kestrels", "The kestrel nests on towers.")
    text = "What does the heron hunt in the river and where does the kestrel nest?"
    whole = retrieve(
        Query(text=text, limit=2), scope=world.scope, parts=world.parts, profile=replace(APART, decompose=False)
    )
    apart = retrieve(Query(text=text, limit=2, explain=True), scope=world.scope, parts=world.parts, profile=APART)
    assert {p.title[:7] for p in apart.passages} == {"Herons ", "Kestrel"}
    assert len(apart.passages) == len(whole.passages) == 2
    assert apart.also == ("What does the heron hunt in the river", "where does the kestrel nest?")
    assert apart.explanation is not None
    returned = [one.key for one in apart.explanation.considered if one.fate == "returned"]
    assert returned == [p.key for p in apart.passages]


def test_parts_that_a_model_wrote_are_taken_and_one_is_none(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    written = Query(
        text="heron and kestrel", rewritten=Rewritten(parts=("Where is the heron?", "Where is the kestrel?"))
    )
    assert retrieve(written, scope=world.scope, parts=world.parts, profile=APART).also == written.rewritten.parts  # type: ignore[union-attr]
    single = replace(written, rewritten=Rewritten(parts=()))
    assert retrieve(single, scope=world.scope, parts=world.parts, profile=APART).also == ()
    assert retrieve(written, scope=world.scope, parts=world.parts, profile=DEFAULT).also == ()


def test_other_wordings_of_the_whole_are_not_searched_for_its_parts(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    rewritten = Rewritten(parts=("Where is the heron?", "Where is the kestrel?"), wordings=("Birds of the river?",))
    both = replace(APART, expand=True)
    query = Query(text="Where are heron and kestrel?", rewritten=rewritten)
    result = retrieve(query, scope=world.scope, parts=world.parts, profile=both)
    assert world.embedder.queries.count("Birds of the river?") == 1
    assert set(result.also) == {*rewritten.parts, *rewritten.wordings}  # type: ignore[misc]


def test_token_budget_is_that_of_the_query(world: Any) -> None:
    for number in range(6):
        world.add(f"Herons {number}", f"The heron number {number} hunts fish in the river.")
    query = Query(text="What does the heron hunt? Where is the river?", limit=6, token_budget=20)
    found = retrieve(query, scope=world.scope, parts=world.parts, profile=APART)
    assert sum(p.tokens for p in found.passages) <= 20
