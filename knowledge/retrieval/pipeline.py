"""The one way from a question to passages: chat, search page, API, evaluation and monitoring use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from knowledge.retrieval.assemble import assemble, to_passages
from knowledge.retrieval.base import DEFAULT, RetrievalParts, RetrievalProfile
from knowledge.retrieval.explain import explain
from knowledge.retrieval.fuse import Scored, score
from knowledge.retrieval.query import select_turns
from knowledge.retrieval.question import Question, embed, weigh
from knowledge.retrieval.rerank import rerank
from knowledge.retrieval.search import live_only, search
from knowledge.types import Passage, Query, RetrievalResult, Scope

__all__ = ["retrieve"]

FIRST_JOIN = 4
"""How many candidates for each wanted passage are joined against live rows at first."""


def retrieve(
    query: Query, *, scope: Scope, parts: RetrievalParts, profile: RetrievalProfile = DEFAULT
) -> RetrievalResult:
    """Return the best passages of the scope for a question, with the milliseconds of each stage.

    :raises StoreUnavailable: the index cannot be reached.
    :raises EmbeddingFailed, LanguageModelError: no embedding model could be asked, and there is no word to search for.
    """
    clock = _Clock()
    turns = select_turns(query)
    if scope.is_empty or not turns.last or query.limit < 1:
        return RetrievalResult(query=turns.as_searched, passages=(), timings={"total": 0.0})
    with clock.stage("embed"):
        embedded = embed(turns, scope=scope, parts=parts, profile=profile)
    with clock.stage("statistics"):
        question = weigh(turns, embedded=embedded, scope=scope, parts=parts, profile=profile)
    with clock.stage("search"):
        candidates = search(
            question=question.embedding, terms=question.searched, store=parts.store, spaces=question.spaces,
            limit=max(profile.candidates, query.limit), scope=scope,
        )  # fmt: skip
        candidates = replace(candidates, hits=question.words.read(candidates.hits))
    clock.move("search", "embed", seconds=question.embedding.waited)
    with clock.stage("fuse"):
        scored = score(candidates, question=question, profile=profile)
    ranked, passages, note = _ranked(
        scored, query=query, question=question, scope=scope, parts=parts, profile=profile, clock=clock
    )
    explanation = None
    if query.explain:
        with clock.stage("explain"):
            explanation = explain(
                ranked, passages, scored=scored, question=question, live=parts.live, scope=scope, query=query,
                profile=profile,
            )  # fmt: skip
    return RetrievalResult(
        query=turns.as_searched, passages=passages, timings=clock.milliseconds(), candidates=len(candidates.hits),
        notes=(*question.vectors.notes, *([note] if note else [])), explanation=explanation,
    )  # fmt: skip


def _ranked(
    scored: Scored, *, query: Query, question: Question, scope: Scope, parts: RetrievalParts,
    profile: RetrievalProfile, clock: _Clock,
) -> tuple[list[Passage], tuple[Passage, ...], str]:  # fmt: skip
    """Return the live passages in their final order, what is returned of them, and a note on the reranker."""
    ranked: list[Passage] = []
    passages: tuple[Passage, ...] = ()
    note = ""
    for batch in scored.batches(first=max(profile.rerank, FIRST_JOIN * query.limit)):
        with clock.stage("live"):
            rows = live_only(batch.candidates, live=parts.live, scope=scope)
        found = to_passages(rows, scored=batch)
        weakest = found[-1].score if found else 0.0
        if not ranked:
            with clock.stage("rerank"):
                found, note = rerank(
                    found, query=question.judged(), rows=rows, hits=batch.candidates.hits, reranker=parts.reranker,
                    profile=profile, tenant=scope.tenant,
                )  # fmt: skip
        with clock.stage("assemble"):
            ranked += found
            passages = assemble(ranked, query=query, profile=profile, texts=parts.texts)
        enough = len(ranked) >= 2 * query.limit and (query.merge_neighbours or len(passages) >= query.limit)
        if enough or (found and weakest < profile.floor):  # what follows is weaker still
            break
    return ranked, passages, note


class _Clock:
    """Milliseconds by stage, and in total."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + (time.perf_counter() - started) * 1_000

    def move(self, one: str, other: str, *, seconds: float) -> None:
        """Count as another stage's what a stage spent waiting for it."""
        self._stages[one] -= seconds * 1_000
        self._stages[other] += seconds * 1_000

    def milliseconds(self) -> dict[str, float]:
        return {**self._stages, "total": (time.perf_counter() - self._started) * 1_000}
