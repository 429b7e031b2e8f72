"""Jobs whose worker ended in the middle: the attempt is counted and said in words, and the third is the last."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from knowledge.documents import ingest, jobs
from knowledge.documents.models import IngestionJob

BEFORE = "The worker ended before it had opened this file"
AT = {
    "reading": "The worker ended while reading this file",
    "indexing": "The worker ended while indexing this file",
    jobs.STALLED: "Work on this file stood still and was stopped",
}


def give_back(*, now: datetime) -> int:
    """Let those ingestion jobs wait again whose lease ran out, or fail them after the last attempt; return how many."""
    running = IngestionJob.objects.filter(kind=IngestionJob.Kind.INGEST, state=IngestionJob.State.RUNNING)
    lost = running.filter(lease_until__lt=now).select_related("document__knowledge_base", "version")
    return sum(_give_back(job, now) for job in lost[:100])


def _give_back(job: IngestionJob, now: datetime) -> bool:
    if not jobs.take_lost(job, now=now):
        return False  # its holder came back in the last moment, or another sweep is at it
    if job.document is None or job.version is None:
        jobs.finish(job)
        return True
    job.version.document = job.document
    with suppress(jobs.LeaseLost):
        ingest.record_failure(job, job.version, message=AT.get(job.stage, BEFORE), permanent=False, lost=True)
    return True
