from __future__ import annotations

from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """Labelled questions, how well they are answered, and whether a change made that better or worse."""

    name = "chatapp.evaluation"
    label = "evaluation"
    verbose_name = "Evaluation"
