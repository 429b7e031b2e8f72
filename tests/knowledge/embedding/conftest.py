from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.embedding.weights import find_weights


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    return find_weights(None)
