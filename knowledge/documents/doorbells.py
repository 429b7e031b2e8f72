"""Which task works on which jobs, and the sweep that sends those nobody was told of lately."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q

from knowledge.documents import broker
from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import IngestionJob

TaskOf = Callable[[Any], Any]
"""Takes a job and returns the Celery task that works on it, which takes ``job_id``."""

RUNG = timedelta(seconds=60)
"""A waiting job is sent again after this long: its message may be lost."""

INGEST_QUEUE = "ingest"

AT_ONCE = 50
"""Jobs of a kind that one sweep sends: those that only wait their turn are due as well, and messages would pile up."""

_tasks: dict[type[LeasedJob], TaskOf] = {}


def register(model: type[LeasedJob], task_of: TaskOf) -> None:
    """Say who works on jobs of a model; an app does so when it is ready."""
    _tasks[model] = task_of


def ring(job: LeasedJob) -> None:
    """Publish the job's message; when the broker is away the row stays queued and the next sweep sends it."""
    from knowledge.documents import tasks

    if not tasks.publish(_tasks[type(job)](job), job_id=str(job.pk)):
        _rows(type(job)).filter(pk=job.pk).update(published=None)


def sweep(*, now: datetime) -> None:
    """Send every due job that nobody was told of lately, of whatever kind."""
    untold = Q(published__isnull=True) | Q(published__lt=now - RUNG) | Q(state=LeasedJob.State.RUNNING)
    for model in _tasks:
        for rows in _by_kind(model, _rows(model).due(now=now).filter(untold)):
            _send(model, rows.order_by(F("published").asc(nulls_first=True), "created"), now)
    _wake_workers(now)


def _by_kind(model: type[LeasedJob], due: Any) -> list[Any]:
    """Return the due jobs of each kind by themselves: ten thousand files must not keep a deletion waiting."""
    if model is not IngestionJob:
        return [due]
    deletions, files = due.filter(kind=IngestionJob.Kind.DELETE), due.filter(kind=IngestionJob.Kind.INGEST)
    enough = (broker.waiting(INGEST_QUEUE) or 0) >= AT_ONCE  # any message brings the next file
    return [deletions] if enough else [deletions, files]


def _wake_workers(now: datetime) -> None:
    """Ring for files that wait while no message does: a broker that was emptied has told nobody of them."""
    kind, state = IngestionJob.Kind.INGEST, LeasedJob.State.QUEUED
    told = IngestionJob.objects.filter(kind=kind, state=state, not_before__lte=now, published__lt=now)
    if told.exists() and broker.waiting(INGEST_QUEUE) == 0:
        _send(IngestionJob, told.order_by("turn"), now)


def _send(model: type[LeasedJob], jobs: Any, now: datetime) -> None:
    for job in jobs[:AT_ONCE]:
        _rows(model).filter(pk=job.pk).update(published=now)
        ring(job)


def _rows(model: type[LeasedJob]) -> Any:
    return model._default_manager.all()
