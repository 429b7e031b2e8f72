"""What a run keeps of its search: how the best candidates were ranked, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from knowledge.retrieval.query import readable
from knowledge.types import Considered, Fate, Passage, RetrievalResult

__all__ = ["MOST", "search_trace"]

MOST = 30
"""Candidates that are kept, in their final order, beside those that were returned: some 300 bytes each."""

ALSO, LONGEST_ALSO = 8, 300  # other wordings that are kept, and their characters


def search_trace(result: RetrievalResult) -> dict[str, Any]:
    """Return as plain data what was found before and after reranking, and why passages were left out."""
    outline = result.outline()
    kept = [one for at, one in enumerate(outline) if at < MOST or one.fate is Fate.RETURNED]
    return {
        "candidates": result.candidates,
        "ranked": len(outline),
        "fates": dict(Counter(one.fate.value for one in outline)),
        "chance": round(result.answerable, 4),
        "threshold": round(result.threshold, 4),
        "also": [_cut(text, LONGEST_ALSO) for text in result.also[:ALSO]],
        "considered": [_considered(one) for one in kept],
        "related": [_place(passage) for passage in result.related],
    }


def _considered(one: Considered) -> dict[str, Any]:
    place = _place(one.passage) if one.passage is not None else {}
    return {
        "key": one.key, "fate": one.fate.value, "by": one.by, "ranks": dict(one.ranks), "scores": _rounded(one.scores),
        **place,
    }  # fmt: skip


def _place(passage: Passage) -> dict[str, Any]:
    """Say which passage it is, and none of its words: title and text stay where they are deleted with the document."""
    return {
        "document": passage.document,
        "version": passage.version,
        "page": passage.page_first,
        "start": passage.start,
        "end": passage.end,
        "tokens": passage.tokens,
    }


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(score), 4) for name, score in scores.items()}


def _cut(text: str, most: int) -> str:
    text = readable(text)
    return text if len(text) <= most else text[: most - 1] + "…"
