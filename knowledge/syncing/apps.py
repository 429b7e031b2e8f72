from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from knowledge.syncing.models import SyncRun


class SyncingConfig(AppConfig):
    """Sources whose documents are kept as they are where they come from."""

    name = "knowledge.syncing"
    label = "syncing"
    verbose_name = "Sources"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from knowledge.documents import doorbells
        from knowledge.syncing import checks, deletion_places  # noqa: F401  the checks register themselves
        from knowledge.syncing.models import SyncRun

        deletion_places.register_all()
        doorbells.register(SyncRun, _task_of)


def _task_of(run: SyncRun) -> Any:
    from knowledge.syncing import tasks

    return tasks.run_sync
