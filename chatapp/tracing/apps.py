from __future__ import annotations

from django.apps import AppConfig


class TracingConfig(AppConfig):
    """The page that says how an answer came about, and the answer as a file with its proof."""

    name = "chatapp.tracing"
    label = "tracing"
    verbose_name = "Traces of answers"
