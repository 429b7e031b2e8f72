"""The daily comparison of database, index and files as a job whose result is kept. It repairs nothing."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from knowledge.documents.indexes import index_jobs
from knowledge.documents.indexes.reconcile import reconcile
from knowledge.documents.models import IndexJob
from knowledge.tenants.models import Tenant

__all__ = ["last", "request_due", "run"]

EVERY = timedelta(days=1)
EVERY_RECORD = timedelta(days=7)
"""Between two comparisons that read every record, text and count; the others compare keys, rows and names."""

PLACES = 20
"""Of differences that a result names."""


def request_due() -> list[IndexJob]:
    """Queue a comparison for every tenant that was not compared for a day."""
    since = timezone.now() - EVERY
    kind = IndexJob.Kind.RECONCILE
    lately = IndexJob.objects.filter(kind=kind, created__gt=since).values("tenant_id")
    due = Tenant.objects.filter(active=True).exclude(pk__in=lately)
    asked = (index_jobs.request(kind, tenant_id=tenant.pk) for tenant in due)
    return [job for job in asked if job is not None]


def last(*, tenant_id: uuid.UUID) -> IndexJob | None:
    """Return the newest comparison that is over, whatever came of it."""
    rows = index_jobs.history(IndexJob.Kind.RECONCILE, tenant_id=tenant_id)
    return rows.filter(finished__isnull=False).first()


def run(*, job_id: uuid.UUID) -> None:
    """Run the job if it is ours to run. Safe to repeat."""
    index_jobs.run(IndexJob.Kind.RECONCILE, job_id, _compare)


def _compare(job: IndexJob) -> dict[str, Any]:
    began = time.monotonic()
    whole = IndexJob.objects.filter(kind=job.kind, tenant=job.tenant_id, report__deep=True)
    deep = not whole.filter(finished__gt=timezone.now() - EVERY_RECORD).exists()
    found = reconcile(tenant=Tenant.objects.get(pk=job.tenant_id), repair=False, deep=deep)
    return {
        "agrees": found.agrees,
        "deep": deep,
        "differences": found.differences,
        "rows": found.rows,
        "records": found.records,
        "missing": len(found.missing),
        "orphans": len(found.orphans),
        "folders": len(found.folders),
        "places": dict(found.places.most_common(PLACES)),
        "seconds": round(time.monotonic() - began, 3),
    }
