"""Jobs on an index that is there: asked for once, run under a lease, kept for people to look at."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from knowledge.documents import doorbells, jobs
from knowledge.documents.models import IndexJob
from knowledge.errors import KnowledgeError, StoreBusy

__all__ = ["Work", "attempt", "history", "request", "run"]

logger = logging.getLogger(__name__)

KEPT = 50
"""Jobs of a kind that are over and stay, of one table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a job says when it ends badly, and how long it waits for a busy index."""

    stopped: str
    unexpected: str
    busy_seconds: int


WORDS = Words(
    stopped="The worker was stopped each time: look for the reason in its log, memory above all.",
    unexpected="Something went wrong that nobody foresaw; the log of the worker says what.",
    busy_seconds=60,
)

Work = Callable[[IndexJob], dict[str, Any]]
"""Does a job's work and returns what it did, for the job's report."""


def request(kind: IndexJob.Kind, *, tenant_id: uuid.UUID, space: str = "") -> IndexJob | None:
    """Queue a job; None when one is open already."""
    if IndexJob.objects.unfinished().filter(kind=kind, tenant_id=tenant_id, space=space).exists():
        return None
    now = timezone.now()
    try:
        with transaction.atomic():
            job = IndexJob.objects.create(kind=kind, tenant_id=tenant_id, space=space, not_before=now, published=now)
    except IntegrityError:  # somebody asked in the same moment
        return None
    transaction.on_commit(lambda: doorbells.ring(job))
    return job


def history(kind: IndexJob.Kind, *, tenant_id: uuid.UUID, space: str = "") -> QuerySet[IndexJob]:
    """Return the jobs of a kind, newest first."""
    rows = IndexJob.objects.filter(kind=kind, tenant_id=tenant_id, space=space)
    return rows.order_by("-created", "-pk")


def run(kind: IndexJob.Kind, job_id: uuid.UUID, work: Work) -> None:
    """Run the job if it is ours to run, and record how it ended. Safe to repeat."""
    job = jobs.claim_of(IndexJob.objects.filter(kind=kind), job_id)
    if job is None:
        return
    with suppress(jobs.LeaseLost):
        attempt(job, lambda _: jobs.finish(job, report=work(job)), words=WORDS)
    _forget_old(kind, job)


def attempt(job: IndexJob, work: Callable[[jobs.Heartbeat], None], *, words: Words, lasting: bool = False) -> None:
    """Do work that ends its job by itself, and write down what stopped it.

    :param lasting: an error that calls itself permanent is not tried again.

    :raises jobs.LeaseLost: the job is no longer ours.
    """
    if job.attempts > settings.JOB_ATTEMPTS:  # it ended without a word each time
        jobs.fail(job, message=words.stopped, permanent=True)
        return
    try:
        with jobs.Heartbeat(job) as heartbeat:
            work(heartbeat)
    except jobs.LeaseLost:
        raise
    except StoreBusy as error:
        jobs.postpone(job, seconds=words.busy_seconds, why=error.message)
    except KnowledgeError as error:
        logger.warning("Job %s (%s): %s: %s", job.pk, job.kind, error.code, error.message)
        jobs.fail(job, message=error.message, permanent=lasting and error.permanent)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Job %s (%s) failed", job.pk, job.kind)
        jobs.fail(job, message=words.unexpected, permanent=False)


def _forget_old(kind: IndexJob.Kind, job: IndexJob) -> None:
    over = history(kind, tenant_id=job.tenant_id, space=job.space).filter(finished__isnull=False)
    IndexJob.objects.filter(pk__in=list(over.values_list("pk", flat=True)[KEPT:])).delete()
