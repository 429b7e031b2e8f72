"""Leases on job rows: claim, renew, finish, fail. The row is the truth; messages may repeat."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from knowledge.documents import owners
from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import IngestionJob

logger = logging.getLogger(__name__)

J = TypeVar("J", bound=LeasedJob)


LOOK_SECONDS = 1.0
"""A job that was cancelled or deleted is noticed by its holder within this time."""

STALLED = "stalled"
"""The stage of a job whose process was ended because its work stood still."""

ADVICE = "Upload a smaller or simpler file under the same name, or try again later."
"""Said of what ended its worker each time."""

in_pool = False
"""Whether this process is one of several of a worker that are replaced when they end."""


class LeaseLost(Exception):
    """Another worker holds the job now, or it was cancelled: stop without writing anything more."""


def claim(job_id: uuid.UUID) -> IngestionJob | None:
    """Take the job for this process, raising its fence; None when there is nothing to do."""
    return claim_of(IngestionJob.objects.select_related("document__knowledge_base", "version"), job_id)


def claim_of(rows: QuerySet[J], job_id: uuid.UUID) -> J | None:
    """Take one of the jobs for this process, raising its fence; None when there is nothing to do.

    ``rows`` are of a queryset of :class:`~knowledge.documents.leased.JobQuerySet`, with what is to be read along.
    """
    now = timezone.now()
    with transaction.atomic():
        taken = (
            _all(rows.model)
            .due(now=now)
            .filter(pk=job_id)
            .update(
                state=LeasedJob.State.RUNNING,
                fence=F("fence") + 1,
                attempts=F("attempts") + 1,
                owner=owners.owner(),
                lease_until=now + timedelta(seconds=settings.LEASE_SECONDS),
                started=now,
            )
        )
        return rows.get(pk=job_id) if taken else None


def renew(job: LeasedJob) -> bool:
    """Extend the lease; False when it is no longer ours."""
    return bool(ours(job).update(lease_until=timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)))


def _all(model: type[J]) -> Any:
    return model._default_manager.all()


def ours(job: J) -> QuerySet[J]:
    """Return the job's row while it is still held under this fence."""
    rows: QuerySet[J] = _all(type(job)).filter(pk=job.pk, fence=job.fence, state=LeasedJob.State.RUNNING)
    return rows


def was_cancelled(job: LeasedJob) -> bool:
    return bool(_all(type(job)).filter(pk=job.pk, state=LeasedJob.State.CANCELLED).exists())


def hold(job: LeasedJob) -> None:
    """Lock the job row inside a transaction and prove that it is still ours.

    :raises LeaseLost: it is not.
    """
    row = _all(type(job)).select_for_update(of=("self",)).filter(pk=job.pk).first()
    if row is None or row.fence != job.fence or row.state != LeasedJob.State.RUNNING:
        raise LeaseLost


def finish(job: LeasedJob, *, report: dict[str, Any] | None = None) -> None:
    """Close the job; nothing happens when it is no longer ours."""
    ours(job).update(
        state=LeasedJob.State.DONE,
        progress=1.0,
        finished=timezone.now(),
        lease_until=None,
        last_error="",
        report=report or {},
    )


def postpone(job: LeasedJob, *, seconds: int, why: str = "") -> bool:
    """Put the job back without counting the attempt: it was not the document's fault. ``why`` is for people.

    Return False when the job is no longer ours.
    """
    put_back = ours(job).update(
        state=LeasedJob.State.QUEUED,
        attempts=F("attempts") - 1,
        not_before=timezone.now() + timedelta(seconds=seconds),
        lease_until=None,
        published=None,
        last_error=why,
    )
    return bool(put_back)


def take_lost(job: LeasedJob, *, now: datetime) -> bool:
    """Hold a job whose holder let its lease run out, to say how that ended; no attempt is counted."""
    lost = ours(job).filter(lease_until__lt=now)
    if not lost.update(fence=F("fence") + 1, lease_until=now + timedelta(seconds=settings.LEASE_SECONDS)):
        return False
    job.fence += 1
    return True


def show(job: LeasedJob, *, stage: str, progress: float) -> None:
    """Put the stage and its progress, 0 to 1, on the row.

    :raises LeaseLost: the job is no longer ours.
    """
    if not ours(job).update(stage=stage, progress=progress):
        raise LeaseLost
    job.stage, job.progress = stage, progress


def fail(job: LeasedJob, *, message: str, permanent: bool, lost: bool = False) -> bool:
    """Record the error; wait and try again, or give up. Return whether the job is over.

    ``lost``: its worker ended, which another one does not wait for.

    :raises LeaseLost: the job is no longer ours: how it ends is for its holder to say.
    """
    over = permanent or job.attempts >= settings.JOB_ATTEMPTS
    words = message if permanent else f"{message} (attempt {job.attempts} of {settings.JOB_ATTEMPTS})"
    if over and lost:
        words = f"{words}. {ADVICE}"
    changes: dict[str, object] = {"last_error": words, "lease_until": None}
    if over:
        changes |= {"state": LeasedJob.State.FAILED, "finished": timezone.now()}
    else:
        pause = timedelta(seconds=0 if lost else 2**job.attempts)
        changes |= {"state": LeasedJob.State.QUEUED, "not_before": timezone.now() + pause, "published": None}
    if not ours(job).update(**changes):
        raise LeaseLost
    job.last_error = words
    return over


def release_leases_of_dead_workers() -> int:
    """At worker start: jobs whose holder ran on this machine and is gone are free at once.

    Without this they would wait for their leases to end, as all others do: another machine's, another container's,
    and those of a worker beside this one, whose attempt would be lost for nothing.
    """
    freed = 0
    for model in [model for model in apps.get_models() if issubclass(model, LeasedJob)]:
        held = _all(model).filter(state=LeasedJob.State.RUNNING, owner__startswith=f"{owners.KERNEL}#")
        gone = [name for name in held.values_list("owner", flat=True).distinct() if owners.is_gone(name)]
        freed += held.filter(owner__in=gone).update(lease_until=timezone.now() - timedelta(seconds=1), published=None)
    return freed


class Heartbeat:
    """Renews the lease from a thread while the work runs; ``check`` raises once it was lost.

    A job that is cancelled or deleted is noticed within a second, and what runs then is ended. Work that is ``watched``
    and stands still (``JOB_STALL_SECONDS`` without a ``check``) loses its lease, and its process too where a worker
    replaces it: nobody knows what it hangs in.
    """

    def __init__(self, job: LeasedJob, *, watched: bool = False) -> None:
        self._job = job
        self._watched = watched
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._moved = time.monotonic()
        self._end: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def check(self) -> None:
        """Say that the work moves on.

        :raises LeaseLost: it is for nobody any more.
        """
        self._moved = time.monotonic()
        if self._lost.is_set():
            raise LeaseLost

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """Call ``end`` from the thread when the lease is lost while the block runs.

        :raises LeaseLost: it was lost before or meanwhile, whatever the block raised for that.
        """
        self._end = end
        try:
            self.check()
            yield
        finally:
            self._end = None
            self.check()

    def _run(self) -> None:
        renewed = time.monotonic()
        try:
            while not self._lost.is_set() and not self._stop.wait(min(LOOK_SECONDS, settings.LEASE_SECONDS / 4)):
                try:
                    renewed = self._look(renewed)
                except Exception:  # boundary of the thread: a database that is away for a moment is asked again
                    logger.exception("Lease of job %s could not be renewed", self._job.pk)
                    connection.close()
        finally:
            connection.close()

    def _look(self, renewed: float) -> float:
        now = time.monotonic()
        if self._watched and now - self._moved > settings.JOB_STALL_SECONDS:
            self._stalled()
            return renewed
        due = now - renewed >= settings.LEASE_SECONDS / 4
        if not (renew(self._job) if due else ours(self._job).exists()):
            self._lose()
        return now if due else renewed

    def _lose(self) -> None:
        self._lost.set()
        end = self._end
        if end is not None:
            end()

    def _stalled(self) -> None:
        """End the attempt. A thread cannot be ended from outside, so the process is."""
        logger.error("Job %s stood still for %d seconds", self._job.pk, settings.JOB_STALL_SECONDS)
        ours(self._job).update(stage=STALLED, lease_until=timezone.now())
        if in_pool:
            os.kill(os.getpid(), signal.SIGKILL)
        self._lose()
