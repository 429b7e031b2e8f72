from __future__ import annotations

import pytest

from chatapp.answering.verification import Verifier
from knowledge.embedding import LocalEmbedder


@pytest.fixture(scope="session")
def embedder() -> LocalEmbedder:
    return LocalEmbedder(threads=2)


@pytest.fixture(scope="session")
def verifier(embedder: LocalEmbedder) -> Verifier:
    return Verifier(embedder)
