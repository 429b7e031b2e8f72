"""What every embedder promises, whichever model is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from knowledge import llm
from knowledge.embedding import Embedder, HostedEmbedder, LocalEmbedder
from tests.support.scripted_model import ScriptedModel

TEXTS = ["The leave is twenty days.", "", "Bäume und Straßen 文档", "word " * 700, "The leave is twenty days."]


@pytest.fixture(scope="module", params=["local", "hosted"])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    if request.param == "local":
        yield LocalEmbedder()
        return
    llm.warm_up()
    with ScriptedModel() as scripted:
        yield HostedEmbedder("hosted_vllm/scripted-embed", scripted.url)
        asyncio.run(llm.close_clients())


def test_vectors_are_float32_units_in_the_order_given(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.spec.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.allclose(vectors[0], vectors[4], atol=1e-5)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-2)


def test_nothing_gives_an_empty_matrix(embedder: Embedder) -> None:
    vectors = embedder.embed_passages([])
    assert vectors.shape == (0, embedder.spec.dimension)
    assert vectors.dtype == np.float32


def test_query_is_one_unit_vector(embedder: Embedder) -> None:
    vector = embedder.embed_query("How long is the leave?")
    assert vector.shape == (embedder.spec.dimension,)
    assert vector.dtype == np.float32
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-5


def test_same_words_are_nearest(embedder: Embedder) -> None:
    query = embedder.embed_query("the leave is twenty days")
    scores = embedder.embed_passages(["granite and basalt", "the leave is twenty days a year", "a recipe"]) @ query
    assert int(np.argmax(scores)) == 1


def test_spec_is_stable_and_names_a_space(embedder: Embedder) -> None:
    before = embedder.spec
    embedder.embed_passages(["text"])
    assert embedder.spec == before
    assert before.space.replace("_", "").isalnum()
    assert str(before.dimension) in before.space


def test_tokens_are_counted_for_each_text(embedder: Embedder) -> None:
    counts = embedder.count_tokens(TEXTS)
    assert len(counts) == len(TEXTS)
    assert counts[1] == 0
    assert counts[0] > 0
    assert counts[3] > embedder.spec.max_tokens
