from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from knowledge.retrieval import DEFAULT, retrieve
from knowledge.retrieval.expand import feedback_terms, joined, together
from knowledge.retrieval.fuse import Scored
from knowledge.retrieval.search import Candidates
from knowledge.types import Hit, Query, Rewritten

WIDER = replace(DEFAULT, expand=True, floor=0.0)


def scored(**fused: float) -> Scored:
    hits = {
        key: Hit(key=key, document=key, version=key, knowledge_base="b", text=key, terms=f"{key} shared", score=0.0)
        for key in fused
    }
    return Scored(candidates=Candidates(hits=hits, cosines={}), keyword=dict.fromkeys(fused, 0.0), fused=fused)


def test_scores_are_joined_and_what_was_not_found_counts_as_the_last() -> None:
    found = joined(scored(a=0.8, b=0.4), [scored(b=0.9, c=0.7), scored(b=0.5, c=0.3)], weight=0.5)
    assert found.fused["a"] == pytest.approx((0.8 + 0.5 * (0.7 + 0.3) / 2) / 1.5)
    assert found.fused["b"] == pytest.approx((0.4 + 0.5 * 0.7) / 1.5)
    assert found.fused["c"] == pytest.approx((0.4 + 0.5 * 0.5) / 1.5)
    assert found.candidates.hits.keys() == found.keyword.keys() == {"a", "b", "c"}


def test_no_other_wording_changes_nothing() -> None:
    only = scored(a=0.8)
    assert joined(only, [], weight=0.5) is only
    assert together([scored(a=0.2), scored(a=0.6, b=0.1)]).fused == {"a": 0.6, "b": 0.1}


def test_terms_of_the_best_passages_without_those_of_the_question(world: Any) -> None:
    world.add("One", "The heron eats trout near reeds.")
    world.add("Two", "Trout hide in reeds.")
    world.add("Three", "Towers of stone.")

    def count(terms: Any) -> Any:
        return world.for_terms(terms, scope=world.scope)

    hits = {
        key: Hit(key=key, document=key, version=key, knowledge_base="b", text="", terms=" ".join(words), score=0.0)
        for key, words in world.terms.items()
    }
    best = Scored(
        candidates=Candidates(hits=hits, cosines={}), keyword={}, fused=dict(zip(hits, (0.9, 0.1, 0.0), strict=True))
    )
    assert set(feedback_terms(best, known={"heron": 1.0}, count=count)) == {"trout", "reed"}


def test_without_a_model_terms_are_searched_and_named(world: Any) -> None:
    world.add("One", "The heron eats trout near reeds.")
    world.add("Two", "Trout hide in reeds.")
    found = retrieve(Query(text="heron", explain=True), scope=world.scope, parts=world.parts, profile=WIDER)
    assert set(found.also[0].split()) == {"trout", "reed"}
    assert found.passages[0].title == "One"


def test_wordings_find_what_the_question_does_not_say(world: Any) -> None:
    world.add("Leave", "Staff have thirty days of leave.")
    world.add("Parking", "Guests park behind the house.")
    query = Query(text="holidays", rewritten=Rewritten(wordings=("days of leave for staff",)))
    found = retrieve(query, scope=world.scope, parts=world.parts, profile=WIDER)
    assert found.passages[0].title == "Leave"
    assert found.also == ("days of leave for staff",)
    nobody = retrieve(
        replace(query, rewritten=Rewritten(wordings=())), scope=world.scope, parts=world.parts, profile=WIDER
    )
    assert nobody.also == ()
