"""What tells whether a statement is held by its sources: numbers of it that a fitted model weighs.

Two tiers. ``words`` needs no model: shared words and pairs of words, and numbers that no source has. ``vectors`` adds
the vectors of word pieces: how well each word of the statement is met by one of the source, in the same order as its
neighbours (MaxSim along diagonals), and the cosine of the nearest sentences.

How much any of it says depends on how long both are: in a long source every word meets something near. So both lengths
are signals, and the fitted model lets them change what the others count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log1p

import numpy as np
import numpy.typing as npt

from chatapp.answering.evidence import analysed
from chatapp.answering.figures import missing_numbers
from chatapp.answering.verification.vectors import SourceVectors, StatementVectors
from knowledge.analysis import terms
from knowledge.types import Vector

__all__ = ["Place", "by_vectors", "by_words"]

FAR = 0.242
"""Product of a word's vector with the signs of its best match, below which it is not met: a fifth of the best products
of labelled statements are less."""

IN_A_ROW = 3
"""Words of a statement that are matched together, each with the word of the source in its place."""

WIDEST = 3
"""Sentences of a source that a statement may rest on together."""

MOST_NUMBERS, MOST_WORDS = 2, 8


@dataclass(frozen=True, slots=True)
class Place:
    """The sentences nearest in meaning: a range of one of the sources."""

    source: int
    start: int
    end: int
    cosine: float


def by_words(statement: str, sources: Sequence[str], *, question: str = "") -> Mapping[str, float]:
    """Return the signals that need no model."""
    said = terms(statement)
    wanted, held = frozenset(said), [analysed(source).terms for source in sources]
    everything = frozenset().union(*(found for sentences in held for found in sentences))
    pairs = set(pairwise(said))
    shared = pairs & {pair for source in sources for pair in pairwise(_terms(source))}
    size = max(1, len(wanted))
    window = max((len(wanted & found) for sentences in held for found in _windows(sentences)), default=0)
    return {
        "words": len(wanted & everything) / size,
        "window": window / size,
        "pairs": len(shared) / len(pairs) if pairs else len(wanted & everything) / size,
        "unmet": float(min(MOST_WORDS, len(wanted - everything))),
        "numbers": float(min(MOST_NUMBERS, len(missing_numbers(statement, tuple(sources), question=question)))),
        "source_length": log1p(sum(len(_terms(source)) for source in sources)),
        "statement_length": log1p(len(said)),
    }


def by_vectors(
    statement: StatementVectors, sources: Sequence[SourceVectors]
) -> tuple[Mapping[str, float], Place | None]:
    """Return the signals of the token vectors, and the place nearest in meaning."""
    units = [source.units() for source in sources]
    products = [statement.tokens @ found.T for found in units if len(found) and len(statement.tokens)]
    count = sum(len(found) for found in units)
    lengths = {"source_tokens": log1p(count), "statement_tokens": log1p(len(statement.tokens))}
    if not products:
        return {"met": 0.0, "in_order": 0.0, "far": 1.0, "cosine": 0.0, **lengths}, None
    best = np.maximum.reduce([found.max(axis=1) for found in products])
    place = _nearest(statement.whole, sources, units)
    return {
        "met": float(best.mean()),
        "in_order": _in_order(products),
        "far": float((best < FAR).mean()),
        "cosine": place.cosine if place else 0.0,
        **lengths,
    }, place


def _in_order(products: Sequence[Vector]) -> float:
    """Return the mean over runs of the statement's words of the best run of as many words of a source."""
    length = min(IN_A_ROW, *(min(found.shape) for found in products))
    runs = []
    for found in products:
        rows, columns = (size - length + 1 for size in found.shape)
        diagonals = np.stack([found[at : at + rows, at : at + columns] for at in range(length)])
        runs.append(diagonals.mean(axis=0).max(axis=1))
    return float(np.maximum.reduce(runs).mean())


def _nearest(whole: Vector, sources: Sequence[SourceVectors], units: Sequence[Vector]) -> Place | None:
    """Return the one to three sentences whose mean vector has the highest cosine with the statement's."""
    best: Place | None = None
    for number, (source, found) in enumerate(zip(sources, units, strict=True)):
        if not len(source.first):
            continue
        sums = np.concatenate([np.zeros_like(found[:1]), np.cumsum(found, axis=0)])
        edges = np.append(source.first, len(found))
        for wide in range(1, min(WIDEST, len(source.first)) + 1):
            parts = sums[edges[wide:]] - sums[edges[: len(edges) - wide]]
            cosines: npt.NDArray[np.float32] = parts @ whole / np.maximum(np.linalg.norm(parts, axis=1), 1e-9)
            at = int(cosines.argmax())
            if best is None or float(cosines[at]) > best.cosine + 1e-6:
                start, end = source.sentences[at][0], source.sentences[at + wide - 1][1]
                best = Place(number, start, end, float(cosines[at]))
    return best


@lru_cache(maxsize=256)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(terms(text))


def _windows(sentences: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    return [
        frozenset().union(*sentences[at : at + wide])
        for wide in range(1, WIDEST + 1)
        for at in range(max(1, len(sentences) - wide + 1))
    ]
