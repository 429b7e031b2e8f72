"""Settings become parts: built once a process, on first use, and none of them at start."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from knowledge import wiring
from knowledge.chunking.fixed import FixedChunker
from knowledge.chunking.recursive import RecursiveChunker
from knowledge.chunking.structural import StructuralChunker
from knowledge.embedding.hosted import HostedEmbedder
from knowledge.embedding.local import LocalEmbedder
from knowledge.errors import EmbeddingFailed
from knowledge.reranking import RerankCandidate
from knowledge.stores.lance import LanceStore
from knowledge.types import EmbeddingSpec

ROOT = Path(__file__).resolve().parents[2]


def nothing(candidates: Sequence[RerankCandidate]) -> list[None]:
    """No token vectors are stored."""
    return [None for _ in candidates]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty register of parts; the process's own comes back afterwards."""
    with monkeypatch.context() as patch:
        patch.setattr(wiring, "_built", {})
        yield
        wiring.reset()


def test_settings_are_read_into_a_frozen_record(settings: Any) -> None:
    settings.MAX_PAGES = 7
    settings.MAX_UPLOAD_BYTES = 1000
    settings.PARSER_CPU_SECONDS = 3
    config = wiring.knowledge_settings()
    assert (config.limits.pages, config.limits.upload_bytes, config.limits.cpu_seconds) == (7, 1000, 3)
    assert config.data_dir == settings.DATA_DIR
    with pytest.raises(AttributeError):
        config.store = "other"  # type: ignore[misc]


@pytest.mark.usefixtures("fresh")
def test_defaults_are_the_embedded_parts(settings: Any) -> None:
    assert isinstance(wiring.store(), LanceStore)
    assert isinstance(wiring.embedder(), LocalEmbedder)
    assert isinstance(wiring.chunker(), StructuralChunker)
    assert wiring.store()._path == Path(settings.DATA_DIR) / "lance"


def test_chunker_is_the_one_chosen_or_the_one_an_index_was_built_with(settings: Any) -> None:
    settings.CHUNKER = "fixed:target=600"
    assert isinstance(wiring.chunker(), FixedChunker)
    assert isinstance(wiring.chunker("recursive"), RecursiveChunker)
    assert isinstance(wiring.chunker("gone since"), FixedChunker)
    settings.CHUNKER = "semantic"
    with pytest.raises(ImproperlyConfigured, match="There is no chunker 'semantic'"):
        wiring.chunker()


@pytest.mark.usefixtures("fresh")
def test_settings_choose_the_parts(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    class Weaviate:
        def __init__(self, **named: Any) -> None:
            made.update(named)

    monkeypatch.setattr("knowledge.stores.weaviate.WeaviateStore", Weaviate)
    settings.STORE, settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_PORT = "weaviate", "http://127.0.0.1:9", 10
    settings.EMBEDDING_MODEL = "openai/some-model"
    assert isinstance(wiring.store(), Weaviate)
    assert made == {"url": "http://127.0.0.1:9", "secret": settings.SECRET_KEY, "grpc_port": 10, "api_key": None}
    assert isinstance(wiring.embedder(), HostedEmbedder)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({}, "late"),
        ({"EMBEDDING_MODEL": "openai/some-model"}, "features"),
        ({"RERANKER": "late", "RERANK_MODEL": "cohere/rank"}, "late"),
        ({"RERANKER": "none"}, "none"),
        ({"RERANKER": "features", "RERANK_MODEL": "cohere/rank"}, "features"),
        ({"RERANK_MODEL": "cohere/rank", "RERANK_MODEL_DIR": "/somewhere"}, "hosted"),
        ({"RERANK_MODEL_DIR": "/somewhere"}, "cross_encoder"),
        ({"RERANKER": "cross_encoder", "RERANK_MODEL": "cohere/rank"}, "cross_encoder"),
    ],
)
def test_settings_choose_the_reranker(settings: Any, chosen: dict[str, str], name: str) -> None:
    for setting, value in chosen.items():
        setattr(settings, setting, value)
    assert wiring.reranker_name() == name
    assert wiring.reranker(stored=nothing).name == name
    assert wiring.reranker(stored=nothing) is wiring.reranker(stored=nothing)


@pytest.mark.usefixtures("fresh")
def test_hosted_reranker_is_told_its_settings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Hosted:
        def __init__(self, *given: Any, **named: Any) -> None:
            made.append((given, named))

    monkeypatch.setattr("knowledge.reranking.hosted.HostedReranker", Hosted)
    settings.RERANK_MODEL, settings.RERANK_API_KEY, settings.RERANK_TIMEOUT = "cohere/rank", "key", 0.5
    wiring.reranker(stored=nothing)
    assert made == [(("cohere/rank", None, "key"), {"timeout": 0.5})]
    assert "'key'" not in repr(wiring.knowledge_settings())


@pytest.mark.usefixtures("fresh")
def test_search_is_given_the_reranker(settings: Any) -> None:
    from knowledge.documents.searching import retrieval_parts

    settings.RERANKER = "none"
    assert retrieval_parts().reranker is wiring.reranker(stored=nothing)
    assert wiring.reranker(stored=nothing).name == "none"


@pytest.mark.usefixtures("fresh")
def test_late_interaction_over_a_model_without_token_vectors_is_refused(settings: Any) -> None:
    settings.RERANKER, settings.EMBEDDING_MODEL = "late", "openai/some-model"
    with pytest.raises(ImproperlyConfigured, match="token vectors"):
        wiring.reranker(stored=nothing)


def of_a_generation(spec: EmbeddingSpec) -> dict[str, Any]:
    return {"space": spec.space, "model": spec.model, "dimension": spec.dimension, "model_hash": spec.model_hash}


def hosted_spec(model: str) -> EmbeddingSpec:
    return EmbeddingSpec(model=model, dimension=32, model_hash="remote", precision="remote", max_tokens=512)


@pytest.mark.usefixtures("fresh")
def test_a_base_keeps_its_embedding_model_when_another_is_chosen(settings: Any) -> None:
    local = wiring.embedder()
    assert wiring.embedder_for(**of_a_generation(local.spec)) is local
    wiring.reset()
    settings.EMBEDDING_MODEL = "openai/some-model"
    again = wiring.embedder_for(**of_a_generation(local.spec))
    assert isinstance(again, LocalEmbedder)
    assert wiring.embedder_for(**of_a_generation(local.spec)) is again
    assert isinstance(wiring.embedder(), HostedEmbedder)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("chosen", "addresses", "address", "key"),
    [
        ("", {}, "http://one", "k"),  # only the name was taken away: what is set is still its own
        ("openai/new", {}, None, None),  # address and key are the new model's now
        ("openai/new", {"openai/old": "http://two"}, "http://two", None),
        ("", {"openai/old": "http://two"}, "http://two", None),  # a key goes nowhere but where it belongs
    ],
)
def test_former_hosted_model_is_asked_at_its_own_address(
    settings: Any, chosen: str, addresses: dict[str, str], address: str | None, key: str | None
) -> None:
    settings.EMBEDDING_MODEL, settings.EMBEDDING_ADDRESSES = chosen, addresses
    settings.EMBEDDING_API_BASE, settings.EMBEDDING_API_KEY = "http://one", "k"
    found = wiring.embedder_for(**of_a_generation(hosted_spec("openai/old")))
    assert isinstance(found, HostedEmbedder)
    assert (found._settings.api_base, found._settings.api_key) == (address, key)
    assert wiring.embedder_for(**of_a_generation(hosted_spec("openai/old"))) is found


@pytest.mark.usefixtures("fresh")
def test_local_model_with_other_weights_is_not_taken_for_the_former(settings: Any) -> None:
    spec = replace(wiring.embedder().spec, model_hash="other")
    with pytest.raises(EmbeddingFailed, match="which is not here any more"):
        wiring.embedder_for(**of_a_generation(spec))


@pytest.mark.usefixtures("fresh")
def test_part_is_built_once_for_all_threads() -> None:
    built: list[object] = []
    gate = threading.Barrier(8)
    found: list[object] = []

    def build() -> object:
        built.append(object())
        return built[-1]

    def ask() -> None:
        gate.wait()
        found.append(wiring.once("thing", build))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert found == built * 8


@pytest.mark.usefixtures("fresh")
def test_part_that_cannot_be_built_is_tried_again() -> None:
    def fail() -> object:
        raise OSError("not yet")

    with pytest.raises(OSError, match="not yet"):
        wiring.once("thing", fail)
    assert wiring.once("thing", lambda: 7) == 7


@pytest.mark.usefixtures("fresh")
def test_child_process_builds_its_own_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    wiring.once("thing", lambda: "parent's")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert wiring.once("thing", lambda: "child's") == "child's"


@pytest.mark.usefixtures("fresh")
def test_reset_closes_what_was_built() -> None:
    closed: list[int] = []

    class Part:
        def close(self) -> None:
            closed.append(1)

    wiring.once("thing", Part)
    wiring.once("plain", object)
    wiring.reset()
    assert closed == [1]
    wiring.once("thing", Part)
    assert closed == [1]


def test_start_loads_no_heavy_library(tmp_path: Path) -> None:
    heavy = ("litellm", "lancedb", "weaviate", "onnxruntime", "openvino", "tokenizers", "pypdfium2", "docx")
    code = (
        "import sys, django; django.setup()\n"
        "from django.core.management import call_command\n"
        "import chatapp.urls\n"
        "call_command('check', verbosity=0)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    environment = {**os.environ, "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
