from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from knowledge.errors import RerankFailed
from knowledge.reranking import NoReranker, RerankCandidate, RerankQuery
from knowledge.retrieval import DEFAULT, PassageRow, retrieve
from knowledge.retrieval.rerank import rerank
from knowledge.types import Hit, Passage, Query

QUERY = RerankQuery(text="heron")
Found = tuple[list[Passage], dict[str, PassageRow], dict[str, Hit]]


class Scripted:
    """Answers with what it was given, and keeps what it was asked."""

    name = "scripted"
    weight = 1.0

    def __init__(self, answer: Sequence[float] | Exception | None) -> None:
        self.answer = answer
        self.asked: list[tuple[RerankQuery, Sequence[RerankCandidate]]] = []

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        self.asked.append((query, candidates))
        if isinstance(self.answer, Exception):
            raise self.answer
        return None if self.answer is None else list(self.answer)


def found(*fused: float) -> Found:
    """Passages a, b, c ... with these fused scores, and what the stage takes beside them."""
    passages, rows, hits = [], {}, {}
    for place, score in enumerate(fused):
        key = chr(ord("a") + place)
        common: dict[str, Any] = {
            "key": key, "document": "document", "version_id": "version", "version": 1, "knowledge_base": "base",
            "title": "Birds", "heading_path": ("Herons",), "page_first": 1, "page_last": 1, "start": place * 10,
            "end": place * 10 + 5, "tokens": 1,
        }  # fmt: skip
        scores = {"vector": score, "keyword": score / 2, "fused": score}
        passages.append(Passage(**common, text=f"text {key}", score=score, scores=scores))
        rows[key] = PassageRow(**common, generation="generation", ordinal=place)
        hits[key] = Hit(
            key=key, document="document", version="version", knowledge_base="base", text=f"text {key}",
            terms=f"text {key}", score=score,
        )  # fmt: skip
    return passages, rows, hits


def ranked(world: Found, reranker: Any, **profile: Any) -> tuple[list[tuple[str, float]], str]:
    passages, rows, hits = world
    ordered, note = rerank(
        passages, query=QUERY, rows=rows, hits=hits, reranker=reranker, profile=replace(DEFAULT, **profile),
        tenant="tenant",
    )  # fmt: skip
    return [(passage.key, round(passage.score, 6)) for passage in ordered], note


def test_opinion_is_weighed_beside_the_search() -> None:
    order, note = ranked(found(0.6, 0.5, 0.4), Scripted([0.0, 0.4, 1.0]))
    assert order == [("c", 0.7), ("b", 0.45), ("a", 0.3)]
    assert note == ""


@pytest.mark.parametrize(
    ("weight", "order"),
    [
        (0.1, [("a", 0.545455), ("b", 0.476364)]),
        (0.5, [("b", 0.413333), ("a", 0.4)]),
        (3.0, [("b", 0.305), ("a", 0.15)]),
    ],
)
def test_profile_says_what_an_opinion_counts(weight: float, order: list[tuple[str, float]]) -> None:
    assert ranked(found(0.6, 0.5), Scripted([0.0, 0.24]), rerank_weight=weight)[0] == order


def test_reranker_has_a_weight_of_its_own() -> None:
    timid = Scripted([0.0, 1.0])
    timid.weight = 0.05
    assert [key for key, _ in ranked(found(0.6, 0.5), timid)[0]] == ["a", "b"]


def test_passage_keeps_the_scores_it_came_with() -> None:
    passages, rows, hits = found(0.6)
    (only,), _ = rerank(
        passages, query=QUERY, rows=rows, hits=hits, reranker=Scripted([0.9]), profile=DEFAULT, tenant="tenant"
    )
    assert only.scores == {"vector": 0.6, "keyword": 0.3, "fused": 0.6, "rerank": 0.9}
    assert passages[0].scores == {"vector": 0.6, "keyword": 0.3, "fused": 0.6}


def test_equal_scores_are_ordered_by_place() -> None:
    assert [key for key, _ in ranked(found(0.5, 0.5, 0.5), Scripted([0.5, 0.5, 0.5]))[0]] == ["a", "b", "c"]


def test_rest_follows_below_what_was_looked_at() -> None:
    reranker = Scripted([0.0, 0.9])
    order, _ = ranked(found(0.8, 0.7, 0.69, 0.2), reranker, rerank=2)
    assert [key for key, _ in order] == ["b", "a", "c", "d"]
    assert [score for _, score in order] == [0.8, 0.4, 0.345, 0.1]
    assert len(reranker.asked[0][1]) == 2


def test_rest_never_rises_above_the_lowest_that_was_looked_at() -> None:
    order, _ = ranked(found(0.8, 0.2, 0.19), Scripted([1.0, -0.1]), rerank=2)
    assert order == [("a", 0.9), ("b", 0.05), ("c", 0.05)]


def test_candidate_tells_all_that_the_search_knows() -> None:
    reranker = Scripted([0.5])
    ranked(found(0.6), reranker)
    query, (candidate,) = reranker.asked[0]
    assert query is QUERY
    assert candidate == RerankCandidate(
        key="a", tenant="tenant", document="document", version_id="version", generation="generation", ordinal=0, title="Birds", heading_path=("Herons",),
        text="text a", terms="text a", keyword=0.3, cosine=0.6, fused=0.6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reranker", "profile"),
    [
        (None, {}),
        (NoReranker(), {}),
        (Scripted(None), {}),
        (Scripted([0.0, 1.0]), {"rerank_weight": 0.0}),
        (Scripted([0.0, 1.0]), {"rerank": 0}),
    ],
)
def test_without_an_opinion_the_order_of_the_search_stands(reranker: Any, profile: dict[str, Any]) -> None:
    assert ranked(found(0.6, 0.5), reranker, **profile) == ([("a", 0.6), ("b", 0.5)], "")


def test_no_passages_ask_nobody() -> None:
    reranker = Scripted([])
    assert ranked(found(), reranker) == ([], "")
    assert reranker.asked == []


def test_failure_leaves_the_order_and_is_said_in_words(caplog: pytest.LogCaptureFixture) -> None:
    failing = Scripted(RerankFailed("The reranking model took longer than 2 s."))
    with caplog.at_level(logging.WARNING):
        order, note = ranked(found(0.6, 0.5), failing)
    assert order == [("a", 0.6), ("b", 0.5)]
    assert note == "The order of the search stands: The reranking model took longer than 2 s."
    assert "scripted" in caplog.text


def test_reranker_that_loses_a_passage_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError):
        ranked(found(0.6, 0.5), Scripted([0.5]))


# --- through the pipeline


def test_pipeline_hands_the_weighted_question_to_the_reranker(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    world.add("Ponds", "The heron sleeps at the pond.")
    reranker = Scripted([0.0, 1.0])
    result = retrieve(Query(text="heron fish"), scope=world.scope, parts=replace(world.parts, reranker=reranker))
    assert [passage.title for passage in result.passages] == ["Ponds", "Herons"]
    assert result.notes == ()
    query, candidates = reranker.asked[0]
    assert (query.text, query.previous, query.answer) == ("heron fish", "", "")
    assert sum(query.terms.values()) == pytest.approx(1)
    assert query.vector is None  # the model here hands out no token vectors
    assert [candidate.title for candidate in candidates] == ["Herons", "Ponds"]


def test_pipeline_notes_why_nothing_was_reranked(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    parts = replace(world.parts, reranker=Scripted(RerankFailed()))
    result = retrieve(Query(text="heron"), scope=world.scope, parts=parts)
    assert [passage.title for passage in result.passages] == ["Herons"]
    assert result.notes == ("The order of the search stands: The reranking model did not answer.",)
