from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from chatapp.finetuning.training.models import TrainingRun


class FinetuningConfig(AppConfig):
    """Training data with its lineage, training runs, the versions they make, and the servers of those."""

    name = "chatapp.finetuning"
    label = "finetuning"
    verbose_name = "Fine-tuning"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chatapp.finetuning.training.models import TrainingRun
        from knowledge.documents import doorbells

        doorbells.register(TrainingRun, _trainer_of)


def _trainer_of(run: TrainingRun) -> Any:
    from chatapp.finetuning.training import tasks

    return tasks.train if run.trainer == run.Trainer.LOCAL else tasks.tune
