"""The default: the order of the fused search stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class NoReranker:
    name: ClassVar[str] = "none"

    def scores(self, query: str, texts: Sequence[str]) -> list[float] | None:
        return None
