"""Whose turn it is: fair between tenants, small files first within one, and nobody waits for ever.

A message only rings. The worker that is free takes the job that these rules name, which may be another one.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Min, QuerySet, Sum
from django.utils import timezone

from knowledge.documents import jobs
from knowledge.documents.models import IngestionJob

PATIENCE = 20_000
"""Bytes a second: a file lets those smaller ones pass that come up to ``size / PATIENCE`` seconds after it."""

LATELY = timedelta(minutes=1)
"""Work that ended within it counts as its tenant's."""

OVERHEAD = 64 * 1024
"""What a job costs whatever its size, in bytes."""


def turn_of(*, size: int, now: datetime) -> datetime:
    """Return the place in the line of a tenant: the smaller the file and the longer it waits, the earlier."""
    return now + timedelta(seconds=size / PATIENCE)


def claim_next() -> IngestionJob | None:
    """Take the ingestion job whose turn it is for this process; None when none is due.

    The tenants come in the order of what is done for them: fewest jobs in work, then least work in the last minute,
    then who waits longest.
    """
    now = timezone.now()
    for tenant_id in tenants_in_turn(now=now):
        job = _claim_first(tenant_id, now)
        if job is not None:
            return job
    return None


def tenants_in_turn(*, now: datetime) -> list[uuid.UUID]:
    """Return the tenants that have jobs waiting, those first whose turn it is."""
    waiting = dict(_waiting(now).values_list("tenant_id").annotate(first=Min("turn")).order_by())
    if len(waiting) < 2:
        return list(waiting)
    ingests = IngestionJob.objects.filter(kind=IngestionJob.Kind.INGEST, tenant_id__in=waiting)
    running = _work(ingests.filter(state=IngestionJob.State.RUNNING))
    lately = _work(ingests.filter(finished__gt=now - LATELY))

    def done_for(tenant: uuid.UUID) -> tuple[int, int, datetime]:
        at_work, cost = running.get(tenant, (0, 0))
        return at_work, cost + lately.get(tenant, (0, 0))[1], waiting[tenant]

    return sorted(waiting, key=done_for)


def _work(rows: QuerySet[IngestionJob]) -> dict[uuid.UUID, tuple[int, int]]:
    """Return by tenant how many jobs these are, and their cost in bytes."""
    counted = rows.values_list("tenant_id").annotate(n=Count("pk"), bytes=Sum("size")).order_by()
    return {tenant: (n, n * OVERHEAD + size) for tenant, n, size in counted}


def _waiting(now: datetime) -> QuerySet[IngestionJob]:
    waiting = IngestionJob.State.QUEUED
    return IngestionJob.objects.filter(kind=IngestionJob.Kind.INGEST, state=waiting, not_before__lte=now)


@transaction.atomic
def _claim_first(tenant_id: uuid.UUID, now: datetime) -> IngestionJob | None:
    """Take the first of a tenant that no other worker is just taking."""
    free = _waiting(now).filter(tenant_id=tenant_id).select_for_update(skip_locked=True)
    first = free.order_by("turn").values_list("pk", flat=True)[:1]
    return next((job for pk in first if (job := jobs.claim(pk)) is not None), None)
