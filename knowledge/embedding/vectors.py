"""What every embedder does with the numbers its model returned."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from knowledge.errors import EmbeddingFailed
from knowledge.types import Vector


def unit_rows(raw: npt.ArrayLike, *, rows: int, dimension: int | None) -> Vector:
    """Return ``(rows, dimension)`` float32, rows L2-normalised; ``dimension`` None accepts any.

    :raises EmbeddingFailed: rows are missing, ragged, not finite, zero or of another dimension.
    """
    try:
        matrix = np.asarray(raw, dtype=np.float32)
    except (TypeError, ValueError) as err:
        raise EmbeddingFailed("The embedding model returned vectors of different lengths.") from err
    if rows == 0:
        return np.zeros((0, dimension or 0), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[0] != rows or not matrix.shape[1]:
        raise EmbeddingFailed("The embedding model did not return one vector for each text.")
    if dimension is not None and matrix.shape[1] != dimension:
        raise EmbeddingFailed(f"The embedding model returned {matrix.shape[1]} dimensions instead of {dimension}.")
    # In double precision, since the squares of large float32 numbers overflow.
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms < 1e-12).any():
        raise EmbeddingFailed("The embedding model returned a vector that is zero or not finite.")
    unit: Vector = (matrix / norms).astype(np.float32)
    return unit


T = TypeVar("T")


class QueryCache(Generic[T]):
    """What was made of the latest queries, least recently used forgotten first. Thread-safe.

    A query that is being embedded is waited for, not embedded twice: answering asks for it ahead.
    """

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, Future[T]] = OrderedDict()

    def get(self, text: str, make: Callable[[str], T]) -> T:
        """Return what belongs to ``text``, made by ``make`` when it is not known; an error is not kept."""
        with self._lock:
            known = self._vectors.get(text)
            if known is not None:
                self._vectors.move_to_end(text)
            else:
                mine = self._vectors[text] = Future[T]()
                while len(self._vectors) > self._size:
                    self._vectors.popitem(last=False)
        return known.result() if known is not None else self._make(text, make, mine)

    def _make(self, text: str, make: Callable[[str], T], promise: Future[T]) -> T:
        try:
            made = make(text)
        except BaseException as error:  # whoever waits for it must hear of it too
            with self._lock:
                if self._vectors.get(text) is promise:
                    del self._vectors[text]
            promise.set_exception(error)
            raise
        promise.set_result(made)
        return made
