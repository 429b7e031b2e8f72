"""What this room tells the rest of the product when the app is ready."""

from __future__ import annotations

from typing import Any

from chatapp.finetuning.training import deletion_places, tasks
from chatapp.finetuning.training.models import TrainingRun
from knowledge.documents import doorbells

__all__ = ["connect"]


def connect() -> None:
    """Name who works on runs, and where words of documents lie."""
    deletion_places.register_all()
    doorbells.register(TrainingRun, _task_of)


def _task_of(run: TrainingRun) -> Any:
    return tasks.train if run.trainer == run.Trainer.LOCAL else tasks.tune
