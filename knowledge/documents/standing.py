"""Where documents stand that are waited for: stage, attempts, place in the line, and about how long it takes."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import RowNumber

from knowledge.documents import pace
from knowledge.documents.models import Document, IngestionJob

Kind, State = IngestionJob.Kind, IngestionJob.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the newest job of a document says; ``None`` where nothing is waited for or nothing was measured yet."""

    stage: str = ""  # waiting, reading, indexing, removing; empty when no job is open
    attempts: int = 0
    last_error: str = ""
    queue_position: int | None = None
    eta_seconds: int | None = None


def standing_of(documents: Collection[Document]) -> dict[uuid.UUID, Standing]:
    """Return the standing of each document that ever had a job, in as many queries for one as for a page of them."""
    newest = IngestionJob.objects.filter(document=OuterRef("pk")).order_by("-created").values("pk")[:1]
    wanted = Document.objects.filter(pk__in=[d.pk for d in documents]).order_by().values(newest=Subquery(newest))
    jobs = list(IngestionJob.objects.filter(pk__in=wanted).defer("report"))
    line = _Line([job.pk for job in jobs if _waits(job)]) if any(_is_open(job) for job in jobs) else None
    return {job.document_id: _standing(job, line) for job in jobs if job.document_id}


def _is_open(job: IngestionJob) -> bool:
    return job.kind == Kind.INGEST and job.state in (State.QUEUED, State.RUNNING)


def _waits(job: IngestionJob) -> bool:
    return job.kind == Kind.INGEST and job.state == State.QUEUED


def _standing(job: IngestionJob, line: _Line | None) -> Standing:
    if line is None or not _is_open(job):
        over = job.state not in (State.QUEUED, State.RUNNING)
        return Standing(stage="" if over else "removing", attempts=job.attempts, last_error=job.last_error)
    waits = _waits(job)
    return Standing(
        stage="waiting" if waits else job.stage or "reading",
        attempts=job.attempts,
        last_error=job.last_error,
        queue_position=line.position(job) if waits else None,
        eta_seconds=line.seconds(job),
    )


class _Line:
    """Those who wait, those at work, and what is measured, as they are at one moment."""

    def __init__(self, waiting: Collection[uuid.UUID]) -> None:
        ingests = IngestionJob.objects.filter(kind=Kind.INGEST)
        queued = ingests.filter(state=State.QUEUED)
        self._running = list(ingests.filter(state=State.RUNNING).defer("report"))
        self._pace = pace.measured()
        self._ahead: dict[uuid.UUID, tuple[int, int]] = {}
        self._tenants: dict[uuid.UUID, tuple[int, int]] = {}
        if waiting:
            self._ahead = {pk: (n, size) for pk, n, size in _counted_ahead(queued, waiting)}
            counted = queued.values_list("tenant_id").annotate(n=Count("pk"), bytes=Sum("size")).order_by()
            self._tenants = {tenant: (n, size) for tenant, n, size in counted}

    def position(self, job: IngestionJob) -> int:
        return self._before(job)[0] + 1

    def seconds(self, job: IngestionJob) -> int | None:
        """Return about how long the job still takes, its wait included."""
        if self._pace is None:
            return None
        if job.state == State.RUNNING:
            return round(self._pace.left(job.size, stage=job.stage, progress=job.progress))
        files, size = self._before(job)
        left = sum(self._pace.left(o.size, stage=o.stage, progress=o.progress) for o in self._running)
        processes = max(settings.WORKER_CONCURRENCY, len(self._running))
        seconds: float = (left + self._pace.seconds(size, files)) / processes + self._pace.seconds(job.size)
        return round(seconds)

    def _before(self, job: IngestionJob) -> tuple[int, int]:
        """Return how many files and bytes come first: those ahead, and as many of each other tenant, turn by turn."""
        files, size = own = self._ahead.get(job.pk, (0, 0))
        for tenant, (n, waiting) in self._tenants.items():
            if tenant != job.tenant_id:
                turns = min(n, own[0])
                files, size = files + turns, size + waiting * turns // n
        return files, size


def _counted_ahead(queued: QuerySet[IngestionJob], waiting: Collection[uuid.UUID]) -> Any:
    """Return ``(job, files, bytes)`` of those of the same tenant whose turn is earlier."""
    line: dict[str, Any] = {"partition_by": "tenant", "order_by": ["turn", "pk"]}
    own = IngestionJob.objects.filter(pk__in=waiting)
    numbered = queued.filter(tenant__in=own.values("tenant")).annotate(
        n=Window(RowNumber(), **line), total=Window(Sum("size"), **line)
    )
    # Beside a number that no row has, the wanted rows are picked after all were numbered, and not before.
    wanted = numbered.filter(Q(n=0) | Q(pk__in=waiting))
    return wanted.values_list("pk", F("n") - 1, F("total") - F("size"))
