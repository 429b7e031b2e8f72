from __future__ import annotations

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Commands, assets and health: everything that runs the product rather than being it."""

    name = "chatapp.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        from chatapp.operations import checks  # noqa: F401  registers the system checks
