"""The order of the fused search stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from knowledge.reranking.base import RerankCandidate, RerankQuery


class NoReranker:
    name: ClassVar[str] = "none"
    weight: ClassVar[float] = 0.0

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        return None
