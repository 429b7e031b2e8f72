from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

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


def vector(_: str) -> np.ndarray:
    return np.ones(3, dtype=np.float32)


def test_a_query_that_is_being_embedded_is_waited_for() -> None:
    cache, begun, free, made = QueryCache(), threading.Event(), threading.Event(), []

    def slowly(text: str) -> np.ndarray:
        made.append(text)
        begun.set()
        assert free.wait(10)
        return vector(text)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get, "herons", slowly)
        assert begun.wait(10)
        second = threads.submit(cache.get, "herons", slowly)
        free.set()
        assert first.result(10) is second.result(10)
    assert made == ["herons"]


def test_an_error_is_raised_and_not_remembered() -> None:
    cache = QueryCache()

    def fails(_: str) -> np.ndarray:
        raise EmbeddingFailed

    with pytest.raises(EmbeddingFailed):
        cache.get("herons", fails)
    assert cache.get("herons", vector).tolist() == [1, 1, 1]
