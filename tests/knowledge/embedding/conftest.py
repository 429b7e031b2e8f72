from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.embedding.weights import find_weights
from tests.support.scripted_model import ScriptedModel


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    return find_weights(None)


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def scripted(scripted_server: ScriptedModel) -> ScriptedModel:
    scripted_server.reset()
    return scripted_server
