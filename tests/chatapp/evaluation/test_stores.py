from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from chatapp.evaluation.corpus import Corpus, build
from chatapp.evaluation.labelled import QuestionSet
from chatapp.evaluation.runner import measure
from chatapp.evaluation.stores import open_store
from knowledge.embedding import LocalEmbedder
from knowledge.errors import StoreUnavailable
from knowledge.stores import weaviate_binary
from knowledge.stores.lance import LanceStore
from knowledge.stores.weaviate_binary import find_server
from knowledge.stores.weaviate_server import WeaviateServer

FERRY = QuestionSet("ferry", "ferry", lambda q: True)


@pytest.fixture
def weaviate_program(settings: Any, missing_part: Callable[[str, str], NoReturn]) -> Path:
    return find_server(settings.WEAVIATE_SERVER_BIN) or missing_part("weaviate-server", "make run STORE=weaviate")


def test_nothing_is_left_of_an_embedded_store() -> None:
    with open_store("lance") as store:
        assert isinstance(store, LanceStore)
        folder = store._path.parent
        assert folder.is_dir()
    assert not folder.exists()


def test_an_unknown_store_is_said() -> None:
    with pytest.raises(StoreUnavailable, match="There is no store named rocks: choose lance or weaviate."):
        open_store("rocks").__enter__()


def test_weaviate_without_server_and_program_is_said(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEAVIATE_SERVER_BIN = "/nowhere/weaviate-server"
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(weaviate_binary, "BIN_DIR", Path("/nowhere"))
    with pytest.raises(StoreUnavailable, match="set WEAVIATE_URL, or install one once with `make run STORE=weaviate`"):
        open_store("weaviate").__enter__()


def test_both_stores_find_the_same(
    ferry_corpus: Corpus, embedder: LocalEmbedder, weaviate_program: Path, settings: Any
) -> None:
    """On a server that is started for it, and on one that is there already."""
    settings.WEAVIATE_SERVER_BIN = str(weaviate_program)
    expected = measure(ferry_corpus, FERRY)
    with build(ferry_corpus.source, store="weaviate", embedder=embedder) as corpus:
        assert corpus.parts.store.name == "weaviate"
        assert measure(corpus, FERRY).scores == expected.scores


def test_a_running_server_is_used_and_left_empty(
    ferry_corpus: Corpus, embedder: LocalEmbedder, weaviate_program: Path, settings: Any, tmp_path: Path
) -> None:
    with WeaviateServer(weaviate_program, tmp_path / "weaviate") as server:
        settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_PORT = server.url, server.grpc_port
        with open_store("weaviate") as store:
            with build(ferry_corpus.source, store=store, embedder=embedder) as corpus:
                tenant = corpus.scope.tenant
                assert corpus.run(corpus.source.questions[:1])[0].passages
                assert store.spaces(tenant=tenant)
            assert store.spaces(tenant=tenant) == []
        assert server.running
