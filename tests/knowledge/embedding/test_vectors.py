from __future__ import annotations

import threading

import numpy as np
import pytest

from knowledge.embedding.vectors import QueryCache, unit_rows
from knowledge.errors import EmbeddingFailed


def test_rows_are_normalised() -> None:
    unit = unit_rows([[3.0, 4.0], [0.0, -2.0]], rows=2, dimension=2)
    assert unit.dtype == np.float32
    assert np.allclose(unit, [[0.6, 0.8], [0.0, -1.0]])


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        ([[1.0, 2.0]], 2),  # one is missing
        ([[1.0, 2.0], [1.0]], 2),  # ragged
        ([[1.0, 2.0, 3.0]], 1),  # another dimension
        ([[0.0, 0.0]], 1),
        ([[float("nan"), 1.0]], 1),
        ([[float("inf"), 1.0]], 1),
        ([1.0, 2.0], 2),
        ([[], []], 2),
        ([["a", "b"]], 1),
        (None, 1),
    ],
)
def test_unusable_numbers_are_refused(raw: object, rows: int) -> None:
    with pytest.raises(EmbeddingFailed):
        unit_rows(raw, rows=rows, dimension=2)  # type: ignore[arg-type]


def test_huge_and_tiny_numbers_are_still_directions() -> None:
    unit = unit_rows([[1e30, 1e30], [1e-8, 0.0]], rows=2, dimension=2)
    assert np.allclose(unit, [[2**-0.5, 2**-0.5], [1.0, 0.0]])


def test_no_rows_give_an_empty_matrix() -> None:
    assert unit_rows([], rows=0, dimension=5).shape == (0, 5)


def test_cache_forgets_the_least_recently_used() -> None:
    made: list[str] = []

    def make(text: str) -> np.ndarray:
        made.append(text)
        return np.ones(2, dtype=np.float32)

    cache = QueryCache(size=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        cache.get(text, make)
    assert made == ["a", "b", "c", "b"]


def test_cache_survives_many_threads() -> None:
    cache = QueryCache(size=3)
    wrong: list[str] = []

    def work() -> None:
        for i in range(300):
            if cache.get(str(i % 7), lambda text: np.array([float(text)], dtype=np.float32))[0] != i % 7:
                wrong.append(str(i))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
