from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatapp.evaluation.caching import CachedEmbedder, CachedTokenEmbedder, cached
from knowledge.embedding import LocalEmbedder
from knowledge.embedding.base import Embedder, has_tokens
from knowledge.types import EmbeddingSpec, Vector

SPEC = EmbeddingSpec(model="counting", dimension=3, model_hash="0", precision="float32", max_tokens=8)


Remember = Callable[[Embedder, Path], CachedEmbedder]


class Counting:
    """Remembers what it was asked for."""

    def __init__(self, spec: EmbeddingSpec = SPEC) -> None:
        self.spec = spec
        self.seen: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        self.seen += texts
        return np.array([[len(text), 1, 0] for text in texts], dtype=np.float32).reshape(len(texts), 3)

    def embed_query(self, text: str) -> Vector:
        return -self.embed_passages([text])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


@pytest.fixture
def remember() -> Iterator[Remember]:
    """``cached``, closed after the test."""
    opened: list[CachedEmbedder] = []

    def remember(embedder: Embedder, folder: Path) -> CachedEmbedder:
        found = cached(embedder, folder)
        assert isinstance(found, CachedEmbedder)
        opened.append(found)
        return found

    yield remember
    for embedder in opened:
        embedder.close()


def test_a_text_is_embedded_once(tmp_path: Path, remember: Remember) -> None:
    inner = Counting()
    first = remember(inner, tmp_path / "new" / "folder")
    assert first.embed_passages(["one", "three", "one"])[:, 0].tolist() == [3, 5, 3]
    assert first.embed_passages(["four", "one"])[:, 0].tolist() == [4, 3]
    assert inner.seen == ["one", "three", "four"]
    assert first.count_tokens(["a b"]) == [2]
    later = Counting()
    assert remember(later, tmp_path / "new" / "folder").embed_passages(["three", "one"])[:, 0].tolist() == [5, 3]
    assert later.seen == []


def test_a_query_is_no_passage(tmp_path: Path, remember: Remember) -> None:
    """Hosted models embed the two differently."""
    both = remember(Counting(), tmp_path)
    assert both.embed_passages(["one"])[0, 0] == 3
    assert both.embed_query("one")[0] == -3
    assert remember(Counting(), tmp_path).embed_query("one")[0] == -3


@pytest.mark.parametrize("other", [{"model_hash": "1"}, {"precision": "bfloat16"}, {"max_tokens": 4}, {"model": "x"}])
def test_another_model_shares_nothing(tmp_path: Path, other: dict[str, object], remember: Remember) -> None:
    remember(Counting(), tmp_path).embed_passages(["one"])
    inner = Counting(replace(SPEC, **other))  # type: ignore[arg-type]
    remember(inner, tmp_path).embed_passages(["one"])
    assert inner.seen == ["one"]


def test_no_text_and_very_many(tmp_path: Path, remember: Remember) -> None:
    embedder = remember(Counting(), tmp_path)
    assert embedder.embed_passages([]).shape == (0, 3)
    many = [f"{'x' * (n % 7)} {n}" for n in range(1_201)]  # more than one statement may name
    assert embedder.embed_passages(many)[:, 0].tolist() == [len(text) for text in many]


def test_an_embedder_keeps_its_kind(tmp_path: Path, embedder: LocalEmbedder, remember: Remember) -> None:
    assert not has_tokens(remember(Counting(), tmp_path))
    assert has_tokens(remember(embedder, tmp_path))


def test_the_first_run_equals_those_after_it(tmp_path: Path, embedder: LocalEmbedder, remember: Remember) -> None:
    texts = ["Dogs stay on a leash.", "", "Ein Satz über Öl und Ähnliches — mit Zeichen."]
    runs = []
    for _ in range(2):
        found = remember(embedder, tmp_path)
        assert isinstance(found, CachedTokenEmbedder)
        runs.append((*found.embed_with_tokens(texts), found.embed_query("dog?"), found.query_tokens("dog?")))
        found.close()
    (vectors, states, query, tokens), (again, same, query_again, tokens_again) = runs
    assert np.array_equal(vectors, again)
    assert np.array_equal(query, query_again)
    for one, two in zip([*states, tokens], [*same, tokens_again], strict=True):
        assert np.array_equal(one.spans, two.spans)
        assert np.array_equal(one.states, two.states)


def test_what_is_remembered_is_what_the_model_says(tmp_path: Path, embedder: LocalEmbedder, remember: Remember) -> None:
    found = remember(embedder, tmp_path)
    assert isinstance(found, CachedTokenEmbedder)
    vectors, states = found.embed_with_tokens(["Dogs stay on a leash."])
    expected, exact = embedder.embed_with_tokens(["Dogs stay on a leash."])
    assert np.array_equal(vectors, expected)
    assert np.array_equal(states[0].spans, exact[0].spans)
    assert np.allclose(states[0].states, exact[0].states, atol=2e-3)  # half precision
    assert np.array_equal(found.embed_query("dog?"), embedder.embed_query("dog?"))


def _fill(folder: Path, first: int) -> None:
    embedder = CachedEmbedder(Counting(), folder)
    for number in range(first, first + 60):
        embedder.embed_passages([f"text {number}", f"common {number % 10}"])
    embedder.close()


def test_processes_share_a_folder(tmp_path: Path, remember: Remember) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fill, args=(tmp_path, 60 * n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    inner = Counting()
    remember(inner, tmp_path).embed_passages([f"text {number}" for number in range(180)])
    assert inner.seen == []
