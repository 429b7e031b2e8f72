"""Thin, idempotent Celery tasks. They carry ids; the rows they name are the truth."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from celery import shared_task
from celery.exceptions import WorkerLostError
from celery.signals import task_failure, worker_process_init, worker_ready
from django.utils import timezone

from knowledge.documents import broker, doorbells, ingest, jobs, lost, order, validity
from knowledge.documents.deletions import deletion
from knowledge.documents.indexes import building, generations, reconcile_jobs, upkeep

logger = logging.getLogger(__name__)


def publish(task: Any, **arguments: object) -> bool:
    """Send a task; False when the broker is away (the sweeper sends the job later)."""
    try:
        with broker.producer(task.app) as producer:
            task.apply_async(kwargs=arguments, retry=False, producer=producer)
    except broker.AWAY:
        logger.warning("Broker is away: %s was not sent", task.name)
        return False
    return True


@shared_task
def ingest_document(**_: object) -> None:
    """Work on the job whose turn it is: the message only rings, and the job it names may have to wait."""
    job = order.claim_next()
    if job is not None:
        ingest.run_claimed(job)


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
    from knowledge.parsing import remove_left_folders

    jobs.release_leases_of_dead_workers()
    remove_left_folders()
    lost.give_back(now=timezone.now())
    now = timezone.now()
    doorbells.sweep(now=now)
    resume_deletions(now=now)
    deletion.drop_empty_bases()


@shared_task(ignore_result=True)
def delete_expired(**_: object) -> None:
    validity.delete_expired(now=timezone.now())


@shared_task(ignore_result=True)
def follow_generations(**_: object) -> None:
    """Take up what was left of index generations; each change queues the work on them by itself."""
    generations.resume(now=timezone.now())


@shared_task(ignore_result=True)
def purge_deleted(**_: object) -> None:
    deletion.purge()


@shared_task(ignore_result=True)
def optimize_stores(**_: object) -> None:
    """Queue the upkeep of every table that was written since its last."""
    upkeep.request_due()


@shared_task
def keep_up(*, job_id: str, **_: object) -> None:
    upkeep.run_upkeep(job_id=uuid.UUID(job_id))


@shared_task(ignore_result=True)
def reconcile_all(**_: object) -> None:
    """Queue a comparison of database, index and files for every tenant that had none for a day."""
    reconcile_jobs.request_due()


@shared_task
def reconcile_tenant(*, job_id: str, **_: object) -> None:
    reconcile_jobs.run(job_id=uuid.UUID(job_id))


@worker_process_init.connect
def _in_pool(**_: object) -> None:
    jobs.in_pool = True


@task_failure.connect
def _process_ended(exception: BaseException | None = None, **_: object) -> None:
    """A process of the pool was killed, or ran out of memory: its job need not wait for the end of the lease."""
    if isinstance(exception, WorkerLostError) and jobs.release_leases_of_dead_workers():
        publish(sweep_jobs)


@worker_ready.connect
def _take_over(**_: object) -> None:
    """A worker that starts over the same data frees what its killed predecessor held."""
    if jobs.release_leases_of_dead_workers():
        publish(sweep_jobs)
