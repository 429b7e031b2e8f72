"""The one way from a question to passages: chat, search page, API, evaluation and monitoring use it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from knowledge.reranking.base import RerankQuery
from knowledge.retrieval.assemble import assemble, to_passages
from knowledge.retrieval.base import DEFAULT, CorpusStatistics, RetrievalParts, RetrievalProfile
from knowledge.retrieval.fuse import fuse
from knowledge.retrieval.keyword import idf, keyword_scores, term_shares
from knowledge.retrieval.query import Turns, select_turns, weigh_terms
from knowledge.retrieval.rerank import rerank
from knowledge.retrieval.search import Candidates, live_only, search
from knowledge.retrieval.spaces import SpaceVectors, embed_in_spaces
from knowledge.retrieval.words import Vocabulary
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
        spaces = parts.generations(scope)
        question = embed_in_spaces(
            turns, spaces=[space for space, _ in spaces], profile=profile,
            embedders=parts.embedders or (lambda space: parts.embedder),
        )  # fmt: skip
    with clock.stage("statistics"):
        words = Vocabulary(parts.languages(scope) if parts.languages else ())
        counted = words.counted(lambda terms: parts.statistics.for_terms(terms, scope=scope))
        weights, statistics = weigh_terms(turns, statistics=counted, profile=profile, analyse=words.terms)
    if question.failures and not question.vectors and not weights:
        raise question.failures[0]
    with clock.stage("search"):
        candidates = search(
            question=question, terms=words.searched(weights), store=parts.store, spaces=spaces,
            limit=max(profile.candidates, query.limit), scope=scope,
        )  # fmt: skip
        candidates = replace(candidates, hits=words.read(candidates.hits))
    with clock.stage("fuse"):
        keyword = keyword_scores(candidates.hits, weights=weights, statistics=statistics, profile=profile)
        fused = fuse(keyword, candidates.cosines, keyword_weight=profile.keyword_weight)
    ranked: list[Passage] = []
    passages: tuple[Passage, ...] = ()
    judged = _judged(turns, question, words, weights, statistics)
    notes = list(question.notes)
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
    return RetrievalResult(
        query=turns.as_searched, passages=passages, timings=clock.milliseconds(), candidates=len(candidates.hits),
        notes=tuple(notes),
    )  # fmt: skip


def _judged(
    turns: Turns, question: SpaceVectors, words: Vocabulary, weights: Mapping[str, float], statistics: CorpusStatistics
) -> RerankQuery:
    return RerankQuery(
        text=turns.last, previous=turns.previous, answer=turns.answer, vector=question.judged,
        terms=term_shares(weights, statistics), words=tuple(words.terms(turns.last)), languages=words.languages,
        idf=words.spread({term: idf(term, statistics) for term in weights}),
    )  # fmt: skip


def _batches(candidates: Candidates, fused: Mapping[str, float], *, first: int) -> Iterator[Candidates]:
    """Yield the candidates best first: joining the rows of all would cost more than the search itself,
    and the rest is needed only where much of the best is repeated or no longer live."""
    keys = sorted(candidates.hits, key=lambda key: (-fused[key], key))
    for part in (keys[:first], keys[first:]):
        if part:
            yield Candidates(
                hits={key: candidates.hits[key] for key in part},
                cosines={key: candidates.cosines[key] for key in part if key in candidates.cosines},
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
