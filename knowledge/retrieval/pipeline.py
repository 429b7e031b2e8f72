"""The one way from a question to passages: chat, search page, API, evaluation and monitoring use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from knowledge.retrieval.assemble import assemble, to_passages
from knowledge.retrieval.base import DEFAULT, RetrievalParts, RetrievalProfile
from knowledge.retrieval.fuse import fuse
from knowledge.retrieval.keyword import keyword_scores
from knowledge.retrieval.query import embed_query, select_turns, weigh_terms
from knowledge.retrieval.search import live_only, search
from knowledge.types import Query, RetrievalResult, Scope

__all__ = ["retrieve"]


def retrieve(
    query: Query, *, scope: Scope, parts: RetrievalParts, profile: RetrievalProfile = DEFAULT
) -> RetrievalResult:
    """Return the best passages of the scope for a question, with the milliseconds of each stage.

    :raises StoreUnavailable: the index cannot be reached. :raises EmbeddingFailed: the question has no vector.
    """
    clock = _Clock()
    turns = select_turns(query)
    if scope.is_empty or not turns.last or query.limit < 1:
        return RetrievalResult(query=turns.as_searched, passages=(), timings={"total": 0.0})
    with clock.stage("embed"):
        vector = embed_query(turns, embedder=parts.embedder, profile=profile)
    with clock.stage("statistics"):
        weights, statistics = weigh_terms(
            turns, statistics=lambda terms: parts.statistics.for_terms(terms, scope=scope), profile=profile
        )
    with clock.stage("search"):
        candidates = search(
            vector=vector, terms=list(weights), store=parts.store, generations=parts.generations,
            limit=max(profile.candidates, query.limit), scope=scope,
        )  # fmt: skip
    with clock.stage("live"):
        rows = live_only(candidates, live=parts.live, scope=scope)
    with clock.stage("fuse"):
        hits = {key: candidates.hits[key] for key in rows}
        cosine = {key: candidates.cosines[key] for key in rows}
        keyword = keyword_scores(hits, weights=weights, statistics=statistics, profile=profile)
        fused = fuse(keyword, cosine, keyword_weight=profile.keyword_weight)
    with clock.stage("assemble"):
        ranked = to_passages(rows, hits=hits, fused=fused, keyword=keyword, cosine=cosine)
        passages = assemble(ranked, query=query, profile=profile, texts=parts.texts)
    return RetrievalResult(
        query=turns.as_searched, passages=passages, timings=clock.milliseconds(), candidates=len(ranked)
    )


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
            self._stages[name] = (time.perf_counter() - started) * 1_000

    def milliseconds(self) -> dict[str, float]:
        return {**self._stages, "total": (time.perf_counter() - self._started) * 1_000}
