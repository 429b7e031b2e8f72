from __future__ import annotations

from typing import Any

import pytest

from knowledge.embedding import LocalEmbedder


@pytest.fixture(scope="session")
def local_embedder() -> LocalEmbedder:
    return LocalEmbedder(threads=2)


@pytest.fixture
def scripted(scripted_model: Any) -> Any:
    """The scripted OpenAI-compatible server, by its short name."""
    return scripted_model
