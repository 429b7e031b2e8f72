"""Whether this installation can train: the extra ``train``, looked for without importing any of it."""

from __future__ import annotations

import sys

from django.conf import settings

from chatapp.finetuning.extra import are_here
from knowledge.errors import KnowledgeError

__all__ = ["ExtraMissing", "installed", "python"]

PARTS = ("torch", "transformers", "trl", "peft")


class ExtraMissing(KnowledgeError):
    code = "extra_missing"
    status = 409
    default_message = "Fine-tuning needs the extra `train`: run `make run TRAIN=1`."


def python() -> str:
    """Return the interpreter that trains: that of another environment where ``TRAINING_PYTHON`` names one."""
    return str(settings.TRAINING_PYTHON or sys.executable)


def installed() -> bool:
    """Tell whether runs can be started. Another environment is believed to hold what it needs."""
    return bool(settings.TRAINING_PYTHON) or are_here(*PARTS)
