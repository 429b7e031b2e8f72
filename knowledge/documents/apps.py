from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from knowledge.documents.models import IndexJob, IngestionJob


class DocumentsConfig(AppConfig):
    name = "knowledge.documents"
    label = "documents"
    verbose_name = "Documents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from knowledge.documents import doorbells
        from knowledge.documents.deletions import builtin_places
        from knowledge.documents.models import IndexJob, IngestionJob

        doorbells.register(IngestionJob, _task_of)
        doorbells.register(IndexJob, _index_task_of)
        builtin_places.register_all()


def _task_of(job: IngestionJob) -> Any:
    from knowledge.documents import tasks

    return tasks.ingest_document if job.kind == job.Kind.INGEST else tasks.delete_document


def _index_task_of(job: IndexJob) -> Any:
    from knowledge.documents import tasks

    return {
        job.Kind.BUILD: tasks.work_on_index,
        job.Kind.COLLECT: tasks.work_on_index,
        job.Kind.UPKEEP: tasks.keep_up,
        job.Kind.RECONCILE: tasks.reconcile_tenant,
    }[job.Kind(job.kind)]
