from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from knowledge import llm
from knowledge.embedding import HostedEmbedder
from knowledge.errors import EmbeddingFailed, ModelNotConfigured, ModelUnavailable
from tests.support.scripted_model import ScriptedModel


@pytest.fixture(scope="module", autouse=True)
def imported_litellm() -> Iterator[None]:
    import asyncio

    llm.warm_up()
    yield
    asyncio.run(llm.close_clients())


def embedder_for(scripted: ScriptedModel, name: str = "scripted-embed", **changes: object) -> HostedEmbedder:
    return HostedEmbedder(f"hosted_vllm/{name}", scripted.url, **changes)  # type: ignore[arg-type]


def inputs(scripted: ScriptedModel) -> list[list[str]]:
    return [request["body"]["input"] for request in scripted.calls["requests"]]


def test_dimension_is_learnt_by_one_call(scripted: ScriptedModel) -> None:
    embedder = embedder_for(scripted, "scripted-embed-dim-48")
    assert [embedder.spec.dimension for _ in range(3)] == [48, 48, 48]
    assert scripted.calls["total"] == 1


def test_given_dimension_needs_no_call(scripted: ScriptedModel) -> None:
    assert embedder_for(scripted, dimension=64).spec.dimension == 64
    assert scripted.calls["total"] == 0


def test_batches_are_bounded_by_count(scripted: ScriptedModel) -> None:
    texts = [f"text {i}" for i in range(7)]
    vectors = embedder_for(scripted, batch_texts=3).embed_passages(texts)
    assert vectors.shape == (7, 64)
    assert inputs(scripted) == [texts[:3], texts[3:6], texts[6:]]


def test_batches_are_bounded_by_tokens(scripted: ScriptedModel) -> None:
    texts = ["x" * 40, "y" * 40, "z" * 400, "w"]
    embedder_for(scripted, batch_tokens=20).embed_passages(texts)
    assert inputs(scripted) == [texts[:2], texts[2:3], texts[3:]]


@pytest.mark.parametrize(
    "name", ["scripted-embed-nan", "scripted-embed-zero", "scripted-embed-short", "scripted-embed-ragged"]
)
def test_unusable_vectors_are_refused(scripted: ScriptedModel, name: str) -> None:
    with pytest.raises(EmbeddingFailed):
        embedder_for(scripted, name).embed_passages(["one", "two"])


def test_change_of_dimension_is_refused(scripted: ScriptedModel) -> None:
    with pytest.raises(EmbeddingFailed, match="64 dimensions instead of 32"):
        embedder_for(scripted, dimension=32).embed_passages(["one"])


def test_prefixes_are_sent_for_their_kind(scripted: ScriptedModel) -> None:
    embedder = embedder_for(scripted, query_prefix="query: ", passage_prefix="passage: ")
    embedder.embed_query("a")
    embedder.embed_passages(["b"])
    assert inputs(scripted) == [["query: a"], ["passage: b"]]


def test_repeated_query_is_answered_from_memory(scripted: ScriptedModel) -> None:
    embedder = embedder_for(scripted)
    assert np.array_equal(embedder.embed_query("again"), embedder.embed_query("again"))
    assert scripted.calls["total"] == 1


def test_failure_of_the_model_keeps_its_name(scripted: ScriptedModel) -> None:
    with pytest.raises(ModelUnavailable):
        embedder_for(scripted, "scripted-embed-503").embed_passages(["one"])
    with pytest.raises(ModelNotConfigured):
        embedder_for(scripted, "scripted-embed-401").embed_passages(["one"])
