from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Commands, assets and health: everything that runs the product rather than being it."""

    name = "chatapp.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        from chatapp.operations import checks  # noqa: F401  registers the system checks
        from knowledge.documents.signals import searched

        searched.connect(_record, dispatch_uid="retrieval times")


def _record(*, timings: Mapping[str, float], **_: Any) -> None:
    from chatapp.operations.retrieval_times import record

    record(timings)
