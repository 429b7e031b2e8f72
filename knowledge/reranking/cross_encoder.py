"""A cross-encoder on this processor: an ONNX file that reads question and passage together, without torch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from knowledge.embedding.pairs import LazyPairModel, PairModel, PairModelFailed, in_batches
from knowledge.errors import RerankFailed
from knowledge.reranking.base import RerankCandidate, RerankQuery, passage_text, query_text
from knowledge.reranking.scale import UnitScale

__all__ = ["CrossEncoder"]

logger = logging.getLogger(__name__)

GROUP = 16
"""Candidates taken at a time, best first: what is not judged in time is what the search thought least of."""


class CrossEncoder:
    """Runs ``model.onnx`` over the pairs that ``tokenizer.json`` makes, for about ``timeout`` seconds a question.

    The candidates come best first and are judged in that order. When the time is spent the rest gets the mean of the
    scores given less one standard deviation: below what was found good, above what was found bad. The first run is
    always made, and loading the model, once a process, is not counted.
    """

    name: ClassVar[str] = "cross_encoder"
    weight: ClassVar[float] = 1.0

    def __init__(
        self, folder: Path, *, timeout: float = 2.0, threads: int = 1, max_tokens: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._timeout, self._clock = timeout, clock
        self._model = LazyPairModel(
            folder, what="cross-encoder", setting="RERANK_MODEL_DIR", threads=threads, max_tokens=max_tokens
        )
        self._scale = UnitScale()

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return 0..1 for each candidate, in the order given.

        :raises RerankFailed: the files are missing, no cross-encoder, or give what is no number.
        """
        if not candidates:
            return []
        model = self._load()
        ends = self._clock() + self._timeout
        question = query_text(query)
        judged: dict[int, float] = {}
        for first in range(0, len(candidates), GROUP):
            group = candidates[first : first + GROUP]
            pairs = model.pairs([(question, passage_text(candidate)) for candidate in group])
            for batch in in_batches(pairs):
                if judged and self._clock() >= ends:
                    return self._with_rest(judged, count=len(candidates))
                try:
                    output = model.run([pairs[row] for row in batch])
                except PairModelFailed as err:
                    raise RerankFailed(str(err)) from err
                values = _one_score_each(output, rows=len(batch))
                judged.update(zip([first + row for row in batch], values, strict=True))
        return self._with_rest(judged, count=len(candidates))

    def warm_up(self) -> None:
        """Load the model, for a process that is about to serve."""
        self._load()

    def _with_rest(self, judged: dict[int, float], *, count: int) -> list[float]:
        try:
            scaled = dict(zip(judged, self._scale(list(judged.values())), strict=True))
        except ValueError as err:
            raise RerankFailed("The cross-encoder gave a score that is no number.") from err
        rest = 0.0
        if len(scaled) < count:
            logger.info("the time for reranking was spent: judged=%s of=%s", len(scaled), count)
            rest = max(0.0, fmean(scaled.values()) - pstdev(scaled.values()))
        return [scaled.get(row, rest) for row in range(count)]

    def _load(self) -> PairModel:
        try:
            return self._model.load()
        except PairModelFailed as err:
            raise RerankFailed(str(err)) from err


def _one_score_each(output: npt.NDArray[np.float64], *, rows: int) -> list[float]:
    """Read ``(rows,)`` or ``(rows, 1)`` as scores and ``(rows, 2)`` as logits of "no" and "yes"."""
    if output.shape in ((rows,), (rows, 1)):
        found: list[float] = output.reshape(rows).tolist()
    elif output.shape == (rows, 2):
        found = (output[:, 1] - output[:, 0]).tolist()
    else:
        raise RerankFailed("The model in RERANK_MODEL_DIR does not give one score for a question and a passage.")
    return found
