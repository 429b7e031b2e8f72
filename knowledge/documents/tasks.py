"""Thin, idempotent Celery tasks. They carry ids; the rows they name are the truth."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.utils import timezone
from kombu.exceptions import OperationalError

from knowledge.documents import building, deletion, doorbells, generations, ingest, jobs, validity
from knowledge.documents.models import IndexGeneration

logger = logging.getLogger(__name__)


def publish(task: Any, **arguments: object) -> bool:
    """Send a task; False when the broker is away (the sweeper sends the job later)."""
    try:
        task.apply_async(kwargs=arguments, retry=False)
    except (OperationalError, ConnectionError, OSError):
        logger.warning("Broker is away: %s was not sent", task.name)
        return False
    return True


@shared_task
def ingest_document(*, job_id: str, **_: object) -> None:
    ingest.run_ingest(job_id=uuid.UUID(job_id))


@shared_task
def work_on_index(*, job_id: str, **_: object) -> None:
    building.run(job_id=uuid.UUID(job_id))


@shared_task
def delete_document(*, job_id: str, **_: object) -> None:
    deletion.run_delete(job_id=uuid.UUID(job_id))


@shared_task(ignore_result=True)
def sweep_jobs(**_: object) -> None:
    """Send every due job that nobody was told of lately; finish deletions of whole bases."""
    from knowledge.documents.services import resume_deletions

    now = timezone.now()
    doorbells.sweep(now=now)
    resume_deletions(now=now)
    generations.resume(now=now)
    deletion.drop_empty_bases()


@shared_task(ignore_result=True)
def delete_expired(**_: object) -> None:
    validity.delete_expired(now=timezone.now())


@shared_task(ignore_result=True)
def purge_deleted(**_: object) -> None:
    deletion.purge()


@shared_task(ignore_result=True)
def optimize_stores(**_: object) -> None:
    """Compact the tables of every tenant that has documents, except where a purge does it just now."""
    pairs = IndexGeneration.objects.values_list("knowledge_base__tenant_id", "space").distinct()
    for tenant_id, space in pairs:
        deletion.optimize(tenant_id=tenant_id, space=space)


@worker_ready.connect
def _take_over(**_: object) -> None:
    """A worker that starts over the same data frees what its killed predecessor held."""
    if jobs.release_leases_of_dead_workers():
        publish(sweep_jobs)
