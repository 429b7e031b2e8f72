from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("chatapp.finetuning.datasets.export") is None:
    shim: Any = types.ModuleType("chatapp.finetuning.datasets.export")

    def rows_of(version: Any, split: str) -> Any:
        return version.rows.filter(state="approved", split=split).order_by("key")

    def write_jsonl(version: Any, split: str, path: Path) -> int:
        rows = [{"key": r.key, "prompt": r.prompt, "completion": r.completion} for r in rows_of(version, split)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return len(rows)

    shim.rows_of, shim.write_jsonl, shim.documents_of = rows_of, write_jsonl, lambda version: set()
    sys.modules[shim.__name__] = shim
if importlib.util.find_spec("chatapp.finetuning.registry.services") is None:
    other: Any = types.ModuleType("chatapp.finetuning.registry.services")
    other.registered = []
    other.register_version = lambda run: other.registered.append(run.pk)
    sys.modules[other.__name__] = other


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR, settings.TRAINING_DIR = tmp_path / "models", tmp_path / "training"
