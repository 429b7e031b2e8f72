"""Let other documents come to word: a soft limit of passages for each document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from knowledge.types import Passage

__all__ = ["spread"]


def spread(ranked: Sequence[Passage], *, per_document: int) -> list[Passage]:
    """Return all passages, those beyond ``per_document`` of their document behind the others; 0 changes nothing.

    Their order among themselves stays, and so does every score: the passages are no longer in the order of them.
    """
    if per_document < 1:
        return list(ranked)
    seen: Counter[str] = Counter()
    first: list[Passage] = []
    later: list[Passage] = []
    for passage in ranked:
        seen[passage.document] += 1
        (first if seen[passage.document] <= per_document else later).append(passage)
    return first + later
