"""What this room tells the rest of the product when the app is ready."""

from __future__ import annotations

from typing import Any

from chatapp.finetuning.datasets import deletion_places, tasks
from chatapp.finetuning.datasets.build_models import DatasetBuild
from knowledge.documents import doorbells

__all__ = ["connect"]


def connect() -> None:
    """Name who works on builds, and where words of documents lie."""
    deletion_places.register_all()
    doorbells.register(DatasetBuild, _task_of)


def _task_of(_: DatasetBuild) -> Any:
    return tasks.run_build
