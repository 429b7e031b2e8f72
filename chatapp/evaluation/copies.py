"""Near copies of a passage: the same paragraph again, with a few words changed or cut elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from chatapp.evaluation.labelled import Span
from chatapp.evaluation.metrics import Hits, hits_of

SHINGLE = 3
"""Words in a row that are compared (Broder 1997, On the resemblance and containment of documents)."""

CONTAINED = 0.5
"""Share of the shorter passage's shingles that stand in the other one too; from here on it is a near copy."""

_WORD = re.compile(r"\w+")


def distinct(texts: Sequence[str]) -> list[int]:
    """Return the places of the texts that are no near copy of one before them."""
    kept: list[int] = []
    shingles = [_shingles(text) for text in texts]
    for place, mine in enumerate(shingles):
        if not any(_alike(mine, shingles[other]) for other in kept):
            kept.append(place)
    return kept


def hits_by_words(texts: Sequence[str], spans: Sequence[Span], gold: Sequence[Span], words: Sequence[str]) -> Hits:
    """Apply the hit rule, and count a passage that holds the ``words`` of a gold span, wherever it stands."""
    wanted = [_folded(w) for w in words]
    held = [[bool(w) and w in text for w in wanted] for text in map(_folded, texts)]
    by_words: Hits = np.array(held, dtype=np.bool_).reshape(len(texts), len(gold))
    return hits_of(spans, gold) | by_words


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return frozenset(tuple(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1)))


def _alike(one: frozenset[tuple[str, ...]], two: frozenset[tuple[str, ...]]) -> bool:
    return len(one & two) >= CONTAINED * min(len(one), len(two))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
