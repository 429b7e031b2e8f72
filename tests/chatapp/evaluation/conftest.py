"""The small labelled set of tests/support, the real embedding model, and the data folder where it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from labelled_sets import write_set

from chatapp.evaluation.corpus import Corpus, build
from chatapp.evaluation.labelled import load
from knowledge.embedding import LocalEmbedder

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def embedder() -> LocalEmbedder:
    return LocalEmbedder(threads=2)


@pytest.fixture
def ferry(tmp_path: Path) -> Path:
    return write_set(tmp_path / "ferry")


@pytest.fixture(scope="module")
def ferry_corpus(embedder: LocalEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """The whole small set, indexed once for a file of tests."""
    folder = write_set(tmp_path_factory.mktemp("sets") / "ferry")
    with build(load(folder), embedder=embedder) as corpus:
        yield corpus


@pytest.fixture(scope="session")
def data() -> Path:
    """The labelled sets beside the checkout."""
    if not (DATA / "squad" / "qrels.jsonl").is_file():
        pytest.skip(f"no labelled sets at {DATA}")
    return DATA
