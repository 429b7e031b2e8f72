"""The one way from a question to passages: chat, search page, API, evaluation and monitoring use it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from knowledge.embedding.base import has_tokens
from knowledge.errors import KnowledgeError
from knowledge.retrieval.answerable import answerable, scale_of
from knowledge.retrieval.assemble import assemble, related, to_passages
from knowledge.retrieval.base import DEFAULT, RetrievalParts, RetrievalProfile
from knowledge.retrieval.decompose import in_turns, split_question
from knowledge.retrieval.expand import feedback_terms, joined, together
from knowledge.retrieval.explain import explain, outline
from knowledge.retrieval.fuse import Scored, score
from knowledge.retrieval.query import Turns, select_turns
from knowledge.retrieval.question import Question, embed, misspelt, respelt, weigh
from knowledge.retrieval.rerank import rerank
from knowledge.retrieval.search import search
from knowledge.retrieval.small_to_big import widened, with_neighbours
from knowledge.retrieval.spaces import embed_ahead, models_of
from knowledge.retrieval.spelling import Correction
from knowledge.retrieval.switching import Versions
from knowledge.types import Passage, Query, RetrievalResult, Scope

__all__ = ["retrieve"]

MORE_TRIES = 2
"""Times a search is made again because what it found was replaced meanwhile."""

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
    turns = select_turns(query, condense=profile.condense)
    if scope.is_empty or not turns.last or query.limit < 1:
        return RetrievalResult(query=turns.as_searched, passages=(), timings={"total": 0.0})
    asking = _Asking(query=query, scope=scope, parts=parts, profile=profile, clock=clock)
    found = _found(turns, asking=asking)
    for _ in range(MORE_TRIES):
        lost = asking.versions.lost
        if not lost or parts.replaced is None or not parts.replaced(lost, scope):
            break
        asking = replace(asking, versions=Versions())
        found = _found(turns, asking=asking)
    explanation = None
    if query.explain:
        with clock.stage("explain"):
            explanation = explain(
                found.ranked, found.passages, scored=found.scored, question=found.question, live=parts.live,
                scope=scope, query=asking.wide, profile=profile,
            )  # fmt: skip
    return RetrievalResult(
        query=found.question.turns.as_searched, passages=found.passages, timings=clock.milliseconds(),
        candidates=len(found.scored.candidates.hits), explanation=explanation, also=found.also,
        notes=tuple(dict.fromkeys((*(query.rewritten.notes if query.rewritten else ()), *found.notes))),
        answerable=found.chance, uncalibrated=found.uncalibrated, threshold=profile.least_chance,
        related=() if found.passages else related(found.ranked, query=query),
        outline=partial(
            outline, found.ranked, found.passages, scored=found.scored, query=asking.wide, profile=profile
        ),
    )  # fmt: skip


def _found(turns: Turns, *, asking: _Asking) -> _Found:
    """Search for a question and its parts, and let what is returned grow."""
    parts, profile = asking.parts, asking.profile
    found = _find(turns, asking=asking)
    # The other wordings are those of the whole question.
    alone = replace(asking, profile=replace(profile, expand=False))
    others = [_find(part, asking=alone) for part in _parts_of(turns, asking=asking)]
    if others:
        with asking.clock.stage("assemble"):
            found = _in_turns(found, others, asking=asking)
    if found.chance < profile.least_chance:
        found = replace(found, passages=())
    if profile.neighbours:
        with asking.clock.stage("neighbours"):
            grown = with_neighbours(
                found.passages, query=asking.query, profile=profile, live=parts.live, texts=parts.texts,
                scope=asking.scope,
            )  # fmt: skip
        asking.versions.without(found.passages, grown)
        found = replace(found, passages=grown)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """What stays the same for every search of one query."""

    query: Query
    scope: Scope
    parts: RetrievalParts
    profile: RetrievalProfile
    clock: _Clock
    versions: Versions = field(default_factory=Versions)

    @property
    def wide(self) -> Query:
        """What is assembled, before passages grow by their neighbours."""
        return widened(self.query, profile=self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What one question found: live passages in their final order, and what is returned of them."""

    question: Question
    scored: Scored
    ranked: Sequence[Passage]
    passages: tuple[Passage, ...]
    chance: float  # of an answer among them
    uncalibrated: float | None  # the same on the scale for all, where the best one's base has another
    notes: tuple[str, ...]
    also: tuple[str, ...] = ()


def _find(turns: Turns, *, asking: _Asking) -> _Found:
    question, scored, spelling = _search(turns, asking=asking)
    also: tuple[str, ...] = ()
    if asking.profile.expand:
        scored, also = _expanded(question, scored, asking=asking)
    ranked, passages, note = _ranked(
        scored, query=asking.wide, question=question, scope=asking.scope, parts=asking.parts, profile=asking.profile,
        clock=asking.clock, versions=asking.versions,
    )  # fmt: skip
    notes = (*question.vectors.notes, *([note] if note else []), *(one.note for one in spelling))
    chance, uncalibrated = _chance(ranked, question=question, asking=asking)
    return _Found(
        question=question, scored=scored, ranked=ranked, passages=passages, chance=chance, uncalibrated=uncalibrated,
        notes=notes, also=also,
    )  # fmt: skip


def _chance(ranked: Sequence[Passage], *, question: Question, asking: _Asking) -> tuple[float, float | None]:
    """Return the chance of an answer and, where the base of the best passage was calibrated, what it was before."""
    chance = answerable(ranked, scale=scale_of(question.vectors.alone))
    curves = asking.parts.curves(asking.scope) if asking.parts.curves and ranked else {}
    # A curve is of the scale of meaning and words; where no model could be asked, the chance is of the words alone.
    curve = curves.get(ranked[0].knowledge_base) if ranked and "vector" in ranked[0].scores else None
    return (chance, None) if curve is None else (curve.of(chance), chance)


def _search(turns: Turns, *, asking: _Asking) -> tuple[Question, Scored, tuple[Correction, ...]]:
    """Embed and weigh a question, take misspelt words for what was meant, and search."""
    question = _understood(turns, asking=asking)
    with asking.clock.stage("statistics"):
        spelling = misspelt(question, scope=asking.scope, parts=asking.parts, profile=asking.profile)
    if spelling:
        question = _understood(respelt(turns, spelling), asking=asking)
    return question, _scored(question, asking=asking), spelling


def _understood(turns: Turns, *, asking: _Asking) -> Question:
    scope, parts, profile = asking.scope, asking.parts, asking.profile
    with asking.clock.stage("embed"):
        embedded = embed(turns, scope=scope, parts=parts, profile=profile)
    with asking.clock.stage("statistics"):
        return weigh(turns, embedded=embedded, scope=scope, parts=parts, profile=profile)


def _scored(question: Question, *, asking: _Asking) -> Scored:
    waited = question.embedding.waited  # by a search of the same question before
    with asking.clock.stage("search"):
        candidates = search(
            question=question.embedding, terms=question.searched, store=asking.parts.store, spaces=question.spaces,
            limit=max(asking.profile.candidates, asking.query.limit), scope=asking.scope,
        )  # fmt: skip
        candidates = replace(candidates, hits=question.words.read(candidates.hits))
    asking.clock.move("search", "embed", seconds=question.embedding.waited - waited)
    with asking.clock.stage("fuse"):
        return score(candidates, question=question, profile=asking.profile)


def _expanded(question: Question, scored: Scored, *, asking: _Asking) -> tuple[Scored, tuple[str, ...]]:
    """Search the other wordings too; where no language model wrote any, the terms of the best passages."""
    rewritten, profile = asking.query.rewritten, asking.profile
    wordings = rewritten.wordings if rewritten else None
    if wordings is not None:
        _ahead(wordings, asking=asking)
        others = [_scored(_understood(Turns(last=text), asking=asking), asking=asking) for text in wordings]
        return joined(scored, others, weight=profile.wording_weight), wordings
    with asking.clock.stage("statistics"):
        count = question.words.counted(lambda terms: asking.parts.statistics.for_terms(terms, scope=asking.scope))
        terms = feedback_terms(scored, known=question.weights, count=count)
        if not terms:
            return scored, ()
        weights = {**dict.fromkeys(terms, profile.feedback_weight), **question.weights}
        wider = replace(question, weights=weights, statistics=count(list(weights)))
    return _scored(wider, asking=asking), (" ".join(terms),)


def _parts_of(turns: Turns, *, asking: _Asking) -> tuple[Turns, ...]:
    """Return the questions that are searched each for itself; none where there are no two."""
    if not asking.profile.decompose:
        return ()
    rewritten = asking.query.rewritten
    parts = (
        rewritten.parts if rewritten and rewritten.parts is not None else split_question(turns.standalone or turns.last)
    )
    if len(parts) < 2:
        return ()
    _ahead(parts, asking=asking)
    if turns.standalone or (rewritten and rewritten.parts is not None):
        return tuple(Turns(last=text) for text in parts)
    return tuple(replace(turns, last=text) for text in parts)  # a part of a follow-up is one too


def _in_turns(whole: _Found, others: Sequence[_Found], *, asking: _Asking) -> _Found:
    """Return what the whole question and its parts found, in turns, within the limit and budget of the query."""
    likeliest = max((whole, *others), key=lambda one: one.chance)
    ranked = in_turns([one.ranked for one in (*others, whole)])
    passages = assemble(ranked, query=asking.wide, profile=asking.profile, texts=asking.parts.texts)
    return replace(
        whole, scored=together([one.scored for one in (whole, *others)]), ranked=ranked, passages=passages,
        chance=likeliest.chance, uncalibrated=likeliest.uncalibrated,
        notes=tuple(note for one in (whole, *others) for note in one.notes),
        also=(*whole.also, *(one.question.turns.last for one in others)),
    )  # fmt: skip


def _ahead(texts: Sequence[str], *, asking: _Asking) -> None:
    """Let hosted embedding models of the scope work on all at once; they remember them. A local one has no idle
    processor."""
    parts = asking.parts
    spaces = [space for space, _ in parts.generations(asking.scope)]
    models = models_of(spaces, embedders=parts.embedders or (lambda space: parts.embedder))
    for model in {id(model): model for model in models.values()}.values():
        if not isinstance(model, KnowledgeError) and not has_tokens(model):
            embed_ahead(texts, embedder=model)


def _ranked(
    scored: Scored, *, query: Query, question: Question, scope: Scope, parts: RetrievalParts,
    profile: RetrievalProfile, clock: _Clock, versions: Versions,
) -> tuple[list[Passage], tuple[Passage, ...], str]:  # fmt: skip
    """Return the live passages in their final order, what is returned of them, and a note on the reranker."""
    ranked: list[Passage] = []
    passages: tuple[Passage, ...] = ()
    note = ""
    for batch in scored.batches(first=max(profile.rerank, FIRST_JOIN * query.limit)):
        with clock.stage("live"):
            rows = versions.join(batch.candidates, live=parts.live, scope=scope)
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
