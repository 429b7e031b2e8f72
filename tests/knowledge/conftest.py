from __future__ import annotations

import pytest

from knowledge.embedding import LocalEmbedder


@pytest.fixture(scope="session")
def local_embedder() -> LocalEmbedder:
    return LocalEmbedder(threads=2)
