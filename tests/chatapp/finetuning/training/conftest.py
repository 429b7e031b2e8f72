from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR, settings.TRAINING_DIR = tmp_path / "models", tmp_path / "training"
