"""The one way from a question to passages: chat, search page, API, evaluation and monitoring use it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from knowledge.reranking.base import RerankQuery
from knowledge.retrieval.assemble import assemble, to_passages
from knowledge.retrieval.base import DEFAULT, CorpusStatistics, RetrievalParts, RetrievalProfile
from knowledge.retrieval.explain import explain
from knowledge.retrieval.fuse import fuse
from knowledge.retrieval.keyword import idf, keyword_scores, term_shares
from knowledge.retrieval.query import Turns, embed_query, select_turns, weigh_terms
from knowledge.retrieval.rerank import rerank
from knowledge.retrieval.search import Candidates, live_only, search
from knowledge.types import Passage, Query, RetrievalResult, Scope, Vector

__all__ = ["retrieve"]

FIRST_JOIN = 4
"""How many candidates for each wanted passage are joined against live rows at first."""


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
    with clock.stage("fuse"):
        keyword = keyword_scores(candidates.hits, weights=weights, statistics=statistics, profile=profile)
        fused = fuse(keyword, candidates.cosines, keyword_weight=profile.keyword_weight)
    ranked: list[Passage] = []
    passages: tuple[Passage, ...] = ()
    judged = _judged(turns, vector, weights, statistics)
    notes: list[str] = []
    for batch in _batches(candidates, fused, first=max(profile.rerank, FIRST_JOIN * query.limit)):
        with clock.stage("live"):
            rows = live_only(batch, live=parts.live, scope=scope)
        found = to_passages(rows, hits=batch.hits, fused=fused, keyword=keyword, cosine=batch.cosines)
        weakest = found[-1].score if found else 0.0
        if not ranked:
            with clock.stage("rerank"):
                found, note = rerank(
                    found, query=judged, rows=rows, hits=batch.hits, reranker=parts.reranker, profile=profile,
                    tenant=scope.tenant,
                )  # fmt: skip
            notes += [note] if note else []
        with clock.stage("assemble"):
            ranked += found
            passages = assemble(ranked, query=query, profile=profile, texts=parts.texts)
        enough = len(ranked) >= 2 * query.limit and (query.merge_neighbours or len(passages) >= query.limit)
        if enough or (found and weakest < profile.floor):  # what follows is weaker still
            break
    explanation = None
    if query.explain:
        with clock.stage("explain"):
            explanation = explain(
                ranked, passages, candidates=candidates, keyword=keyword, fused=fused, weights=weights,
                statistics=statistics, live=parts.live, scope=scope, query=query, profile=profile,
            )  # fmt: skip
    return RetrievalResult(
        query=turns.as_searched, passages=passages, timings=clock.milliseconds(), candidates=len(candidates.hits),
        notes=tuple(notes), explanation=explanation,
    )  # fmt: skip


def _judged(
    turns: Turns, vector: Vector, weights: Mapping[str, float], statistics: CorpusStatistics
) -> RerankQuery:  # fmt: skip
    return RerankQuery(
        text=turns.last, previous=turns.previous, answer=turns.answer, vector=vector,
        terms=term_shares(weights, statistics), idf={term: idf(term, statistics) for term in weights},
    )  # fmt: skip


def _batches(candidates: Candidates, fused: Mapping[str, float], *, first: int) -> Iterator[Candidates]:
    """Yield the candidates best first: joining the rows of all would cost more than the search itself,
    and the rest is needed only where much of the best is repeated or no longer live."""
    keys = sorted(candidates.hits, key=lambda key: (-fused[key], key))
    for part in (keys[:first], keys[first:]):
        if part:
            yield Candidates(
                hits={key: candidates.hits[key] for key in part},
                cosines={key: candidates.cosines[key] for key in part},
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
            self._stages[name] = self._stages.get(name, 0.0) + (time.perf_counter() - started) * 1_000

    def milliseconds(self) -> dict[str, float]:
        return {**self._stages, "total": (time.perf_counter() - self._started) * 1_000}
