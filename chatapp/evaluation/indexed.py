"""What a chunker made of a corpus: how many passages, how long, and how many of them no model reads whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from knowledge.embedding.base import Embedder

__all__ = ["Indexed"]

SPECIAL = 2
"""Tokens that the model puts around each text, inside its window."""


@dataclass(slots=True)
class Indexed:
    """Sizes of the passages of an index, and what it took to make it."""

    tokens: list[int] = field(default_factory=list)  # word pieces of each passage's own text
    cut: int = 0  # passages whose search text is longer than the model reads
    seconds: float = 0.0

    def add(self, tokens: Sequence[int], search_texts: Sequence[str], *, embedder: Embedder) -> None:
        self.tokens += tokens
        window = embedder.spec.max_tokens - SPECIAL
        self.cut += sum(count > window for count in embedder.count_tokens(search_texts))

    @property
    def mean(self) -> float:
        return float(np.mean(self.tokens)) if self.tokens else 0.0

    @property
    def p95(self) -> float:
        return float(np.percentile(self.tokens, 95)) if self.tokens else 0.0

    @property
    def share_cut(self) -> float:
        return self.cut / len(self.tokens) if self.tokens else 0.0

    def figures(self) -> dict[str, float]:
        """Return what is reported."""
        return {
            "passages": len(self.tokens), "mean tokens": round(self.mean, 1), "p95 tokens": self.p95,
            "share cut": round(self.share_cut, 4), "seconds": round(self.seconds, 1),
        }  # fmt: skip
