"""Two indexes of a knowledge base asked the same questions, before the one takes the place of the other."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from chatapp.evaluation.bootstrap import SEED, Figure, chances, differences, intervals
from chatapp.evaluation.expected import Expected
from chatapp.evaluation.labelled import Span
from chatapp.evaluation.metrics import first_hits
from chatapp.evaluation.question_files import Asked
from knowledge.documents import searching
from knowledge.documents.indexes.overview import model_words
from knowledge.documents.models import IndexGeneration
from knowledge.types import Passage, Query, RetrievalResult

__all__ = ["Agreement", "Comparison", "Judged", "compare"]

DEPTH = 10
TOP = 5
MEASURES = ("hit@1", "recall@1", "recall@5", "recall@10", "MRR@10")
LISTED = 50

Pair = tuple[RetrievalResult, RetrievalResult]
"""What the index in use found, and what the other one did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A mean over questions in both indexes, the difference, and how likely such a one is by chance."""

    name: str
    live: Figure
    other: Figure
    difference: Figure
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A question whose answer moved: the rank of the first passage that is right, None where none of ten is."""

    question: str
    live: int | None
    other: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How both do on questions of which it is known what answers them."""

    by: str  # "passage" where quotes were given, "document"
    questions: int
    live_first: int
    other_first: int
    measures: tuple[Measure, ...]
    better: tuple[Change, ...]
    worse: tuple[Change, ...]

    @property
    def p(self) -> float:
        return self.measures[0].p


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The first passage of an index, for people to look at."""

    document: str
    version: int
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    question: str
    live: Found | None
    other: Found | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far both find the same, whoever is right."""

    questions: int
    same_first: int
    overlap: float
    """Mean share of the first five passages of the one that overlap one of the other's."""
    differing: tuple[Differing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    live: str
    other: str
    asked: int  # questions measured
    of: int  # that there were
    judged: tuple[Judged, ...]
    agreement: Agreement
    live_ms: float  # median of the whole search
    other_ms: float
    seconds: float
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    questions: Sequence[tuple[Asked, tuple[Expected, ...]]],
    *,
    live: IndexGeneration,
    other: IndexGeneration,
    seconds: float | None = None,
    notes: Sequence[str] = (),
) -> Comparison:
    """Search for every question in both; with ``seconds`` for as many, drawn at random, as that time allows.

    :raises KnowledgeError: an embedding model or the store did not answer.
    """
    started, order = time.monotonic(), list(questions)
    if seconds is not None:
        random.Random(SEED).shuffle(order)  # noqa: S311
    done: list[tuple[Asked, tuple[Expected, ...], Pair]] = []
    for number, (asked, expected) in enumerate(order):
        if seconds is not None and done and time.monotonic() - started > seconds:
            break
        done.append((asked, expected, _ask(asked, live, other, swapped=bool(number % 2))))
    judged = [row for row in done if row[1]]
    quoted = [row for row in judged if any(e.places for e in row[1])]
    kinds = [_judge(rows, words=words) for rows, words in ((quoted, True), (judged, False)) if rows]
    live_ms, other_ms = (float(np.median([p[side].timings["total"] for *_, p in done] or [0.0])) for side in (0, 1))
    return Comparison(
        live=described(live), other=described(other), asked=len(done), of=len(order), judged=tuple(kinds),
        agreement=_agreement([(asked, pair) for asked, _, pair in done]), live_ms=round(live_ms, 1),
        other_ms=round(other_ms, 1), seconds=round(time.monotonic() - started, 1), notes=tuple(notes),
    )  # fmt: skip


def described(generation: IndexGeneration) -> str:
    return f"{model_words(generation)}, {generation.chunker}"


def _ask(asked: Asked, live: IndexGeneration, other: IndexGeneration, *, swapped: bool) -> Pair:
    """Search in both, one after the other in turns: the second finds the vector of the question made."""
    found: dict[bool, RetrievalResult] = {}
    for second in (True, False) if swapped else (False, True):
        generation = other if second else live
        base = generation.knowledge_base
        query = Query(text=asked.text, history=asked.history, limit=DEPTH, rewritten=asked.rewritten)
        found[second] = searching.search(query, scope=base.scope, generations={str(base.pk): str(generation.pk)})
    return found[False], found[True]


# --- where it is known what answers


def _judge(rows: Sequence[tuple[Asked, tuple[Expected, ...], Pair]], *, words: bool) -> Judged:
    ranks = [[_ranks(found.passages, expected, words=words) for found in pair] for _, expected, pair in rows]
    live, other = (np.array([_scores(pair[side]) for pair in ranks]) for side in (0, 1))
    figures = zip(
        MEASURES, intervals(live), intervals(other), differences(live, other), chances(live, other), strict=True
    )
    changes = [
        Change(question=asked.text, live=_best(pair[0]), other=_best(pair[1]))
        for (asked, _, _), pair in zip(rows, ranks, strict=True)
    ]
    return Judged(
        by="passage" if words else "document", questions=len(rows), live_first=int(live[:, 0].sum()),
        other_first=int(other[:, 0].sum()),
        measures=tuple(Measure(name=n, live=a, other=b, difference=d, p=p) for n, a, b, d, p in figures),
        better=tuple(sorted((c for c in changes if _gain(c) > 0), key=_gain, reverse=True)),
        worse=tuple(sorted((c for c in changes if _gain(c) < 0), key=_gain)),
    )  # fmt: skip


def _ranks(passages: Sequence[Passage], expected: Sequence[Expected], *, words: bool) -> Any:
    """Return the rank from 1 of the first passage that brings each expected answer, infinite where none does."""
    hits = [[e.is_found_by(_span(p), words=words) for e in expected] for p in passages]
    return first_hits(np.array(hits, dtype=np.bool_).reshape(len(passages), len(expected)))


def _scores(ranks: Any) -> list[float]:
    """Return the measures of one question, in the order of ``MEASURES``."""
    best = float(ranks.min())
    recalls = [float((ranks <= depth).mean()) for depth in (1, 5, 10)]
    return [float(best <= 1), *recalls, 1 / best if best <= DEPTH else 0.0]


def _best(ranks: Any) -> int | None:
    best = float(ranks.min())
    return int(best) if best <= DEPTH else None


def _gain(change: Change) -> float:
    return (1 / change.other if change.other else 0.0) - (1 / change.live if change.live else 0.0)


# --- whoever is right


def _agreement(rows: Sequence[tuple[Asked, Pair]]) -> Agreement:
    same, shares, differing = 0, list[float](), list[Differing]()
    for asked, (live, other) in rows:
        first, second = live.passages[:1], other.passages[:1]
        if _shared(first, second) == 1.0:
            same += 1
        else:
            differing.append(Differing(question=asked.text, live=_found(first), other=_found(second)))
        shares.append(_shared(live.passages[:TOP], other.passages[:TOP]))
    return Agreement(
        questions=len(rows), same_first=same, overlap=round(float(np.mean(shares or [1.0])), 4),
        differing=tuple(differing[:LISTED]),
    )  # fmt: skip


def _shared(ones: Sequence[Passage], others: Sequence[Passage]) -> float:
    """Return the mean share of each side's passages that overlap one of the other side; nothing and nothing agree."""
    if not ones or not others:
        return float(not ones and not others)
    return (_met(ones, others) + _met(others, ones)) / 2


def _met(ones: Sequence[Passage], others: Sequence[Passage]) -> float:
    met = [any(a.document == b.document and a.start < b.end and b.start < a.end for b in others) for a in ones]
    return sum(met) / len(met)


def _found(passages: Sequence[Passage]) -> Found | None:
    return next(
        (Found(document=p.document, version=p.version, title=p.title, start=p.start, end=p.end) for p in passages), None
    )


def _span(passage: Passage) -> Span:
    return Span(passage.document, passage.start, passage.end)
