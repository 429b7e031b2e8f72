from __future__ import annotations

from django.apps import AppConfig


class FinetuningConfig(AppConfig):
    """Training data with its lineage, training runs, the versions they make, and the servers of those."""

    name = "chatapp.finetuning"
    label = "finetuning"
    verbose_name = "Fine-tuning"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chatapp.finetuning.datasets import ready as datasets
        from chatapp.finetuning.registry import ready as registry
        from chatapp.finetuning.training import ready as training

        datasets.connect()
        training.connect()
        registry.connect()
