"""One scale for whatever number a reranking model calls its score."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["UnitScale"]

TOLERANCE = 1e-3
"""A probability may lie this far outside 0..1 by rounding; further out it is a logit."""


class UnitScale:
    """Maps the scores of one model to 0..1 and keeps their order.

    Cohere, Jina and Voyage give 0..1, which stays as it is. vLLM, Infinity and most ONNX files may give logits:
    as soon as one score lies outside 0..1, this and every later answer go through the logistic function, because
    a model does not change its scale from one question to the next.
    """

    def __init__(self) -> None:
        self.logits = False

    def __call__(self, raw: Sequence[float]) -> list[float]:
        """Return the scores on the scale 0..1.

        :raises ValueError: a score is not finite.
        """
        if not all(math.isfinite(value) for value in raw):
            raise ValueError("a score is not finite")
        if any(not -TOLERANCE <= value <= 1 + TOLERANCE for value in raw):
            self.logits = True
        if self.logits:
            return [0.5 * (1 + math.tanh(value / 2)) for value in raw]  # does not overflow as exp() would
        return [min(1.0, max(0.0, value)) for value in raw]
