"""Every task of this app; each room keeps its own in ``tasks`` of its package. Celery looks for them here."""

from __future__ import annotations

from chatapp.finetuning.training.tasks import finish_all, train, tune

__all__ = ["finish_all", "train", "tune"]
