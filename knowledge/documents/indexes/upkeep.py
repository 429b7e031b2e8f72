"""Upkeep of the index as jobs that can be seen: what was done, what it took, or why it failed, in words."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet

from knowledge import wiring
from knowledge.documents.deletions import deletion
from knowledge.documents.indexes import index_jobs
from knowledge.documents.models import IndexGeneration, IndexJob
from knowledge.errors import StoreBusy
from knowledge.types import StoreFacts

__all__ = ["history", "request_due", "run_upkeep", "tables"]

BUSY = "Deleted text is being removed from this index just now; its upkeep follows."


def tables() -> list[tuple[uuid.UUID, str]]:
    """Return the tenant and space of every table that documents were indexed into."""
    pairs = IndexGeneration.objects.values_list("knowledge_base__tenant_id", "space").distinct()
    return sorted(pairs)


def request_due() -> list[IndexJob]:
    """Queue the upkeep of every table that was written since its last; those that were not cost a look at a folder."""
    store = wiring.store()
    due = [pair for pair in tables() if store.needs_upkeep(space=pair[1], tenant=str(pair[0]))]
    asked = (index_jobs.request(IndexJob.Kind.UPKEEP, tenant_id=pk, space=space) for pk, space in due)
    return [job for job in asked if job is not None]


def history(*, tenant_id: uuid.UUID, space: str) -> QuerySet[IndexJob]:
    """Return the upkeep jobs of a table, newest first."""
    return index_jobs.history(IndexJob.Kind.UPKEEP, tenant_id=tenant_id, space=space)


def run_upkeep(*, job_id: uuid.UUID) -> None:
    """Run the job if it is ours to run; record what it did, or why it could not. Safe to repeat."""
    index_jobs.run(IndexJob.Kind.UPKEEP, job_id, _keep_up)


def _keep_up(job: IndexJob) -> dict[str, Any]:
    where = {"space": job.space, "tenant": str(job.tenant_id)}
    store = wiring.store()
    before, began = store.facts(**where), time.monotonic()
    if not deletion.optimize(tenant_id=job.tenant_id, space=job.space):
        raise StoreBusy(BUSY)
    seconds = round(time.monotonic() - began, 3)
    return {"before": _told(before), "after": _told(store.facts(**where)), "seconds": seconds}


def _told(facts: StoreFacts | None) -> dict[str, Any]:
    """Return facts as a job's report keeps them; nothing of a table that is gone."""
    if facts is None:
        return {}
    told = asdict(facts)
    told["oldest"] = facts.oldest.isoformat() if facts.oldest else None
    return told
