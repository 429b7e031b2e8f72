"""Deletion that is counted: records, chunk rows, files, rows; and the purge of old store files."""

from __future__ import annotations

import logging
import uuid
from contextlib import ExitStack, suppress

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import failpoints, files, jobs
from knowledge.documents.deletions import places, reports
from knowledge.documents.deletions.places import Rule
from knowledge.documents.ingest import BUSY_SECONDS, UNEXPECTED
from knowledge.documents.models import Chunk, IngestionJob, KnowledgeBase, Purge
from knowledge.errors import IndexDiskFull, IndexMismatch, KnowledgeError, StoreBusy
from knowledge.stores.locking import file_lock
from knowledge.types import Scope

logger = logging.getLogger(__name__)

STOPPED = "The worker was stopped each time it deleted this document."


def run_delete(*, job_id: uuid.UUID) -> None:
    """Remove everything of the job's document and prove it by counting. Safe to repeat."""
    job = jobs.claim(job_id)
    if job is None:
        return
    if job.attempts > settings.JOB_ATTEMPTS:  # it ended without a word each time: killed, or out of memory
        _record_failure(job, STOPPED)
        return
    try:
        with jobs.Heartbeat(job, watched=True) as heartbeat:
            _delete(job, heartbeat)
    except jobs.LeaseLost:
        return
    except IndexDiskFull as error:  # it would go on refusing until somebody makes room
        logger.info("Deletion of %s waits: %s", job.document_ref, error.code)
        jobs.postpone(job, seconds=BUSY_SECONDS, why=error.message)
        return
    except KnowledgeError as error:
        logger.warning("Deletion of %s: %s", job.document_ref, error.message)
        _record_failure(job, error.message)
        return
    except Exception:  # boundary of the job
        logger.exception("Deletion of %s failed", job.document_ref)
        _record_failure(job, UNEXPECTED)
        return
    _purge_when_quiet()


def _record_failure(job: IngestionJob, message: str) -> None:
    with suppress(jobs.LeaseLost):
        if jobs.fail(job, message=message, permanent=False):
            reports.failed(tenant_id=job.tenant_id, document_ref=job.document_ref, message=message)


def _delete(job: IngestionJob, heartbeat: jobs.Heartbeat) -> None:
    document = job.document
    if document is None:
        jobs.finish(job)
        return
    base = document.knowledge_base
    scope = Scope(
        tenant=str(document.tenant_id),
        knowledge_bases=frozenset({str(base.pk)}),
        documents=frozenset({str(document.pk)}),
    )
    told = reports.resume(document)
    subject = reports.count_before(told, document)
    store, spaces = wiring.store(), set(subject.spaces)
    records = 0
    for space in spaces:
        heartbeat.check()
        records += store.delete(space=space, scope=scope)
        left = store.count(space=space, scope=scope)
        if left:
            raise IndexMismatch(f"{left} passages of the deleted document are still in the index.")
    failpoints.reach("between_delete_in_database_and_index")
    heartbeat.check()
    report = {
        "records": records,
        "chunks": Chunk.objects.filter(version__document=document).count(),
        "versions": document.versions.count(),
        "files": files.delete_folder(f"{document.tenant_id}/{document.pk}"),
    }
    with transaction.atomic():
        jobs.hold(job)
        reports.finish(told)
        for place in places.registered():
            if place.remove is not None and (place.rule != Rule.KEPT or told.erased):
                place.remove(subject)
        document.delete()
        for space in spaces or {""}:
            request_purge(tenant_id=job.tenant_id, space=space)
        jobs.finish(job, report=report)
    _drop_empty_base(base)


def _drop_empty_base(base: KnowledgeBase) -> None:
    if KnowledgeBase.objects.filter(pk=base.pk, deleting=True).exists() and not base.documents.exists():
        KnowledgeBase.objects.filter(pk=base.pk).delete()


def drop_empty_bases() -> None:
    """Remove the rows of deleted bases whose last document is gone."""
    for base in KnowledgeBase.objects.filter(deleting=True):
        _drop_empty_base(base)


def request_purge(*, tenant_id: uuid.UUID, space: str) -> None:
    """Note that deleted text still lies in old files: of a space of the index, of an engine that has a purger by this
    name (``places``), or without one of the database alone."""
    Purge.objects.update_or_create(tenant_id=tenant_id, space=space, defaults={"requested": timezone.now()})


def _purge_when_quiet() -> None:
    """Purge now unless more deletions wait: then the last of them, or the timer, does it once for all."""
    if IngestionJob.objects.unfinished().filter(kind=IngestionJob.Kind.DELETE).exists():
        return
    purge()


def purge() -> int:
    """Rewrite the files of stores and other engines that still hold deleted text, and the database's write-ahead log.

    Close the reports of deletions that waited for it. Return how many requests are done with: one stays while a reader
    keeps the log from being emptied, when it was made again meanwhile, and when somebody else is at the tenant's files.
    """
    rows = [row for row in Purge.objects.all() if _rewritten(row)]
    done = 0
    if rows and _log_emptied():
        done = sum(Purge.objects.filter(pk=row.pk, requested=row.requested).delete()[0] for row in rows)
    reports.settle()  # also those that a purge was cut off before it closed
    return done


def _rewritten(row: Purge) -> bool:
    """Do what one request asks for; what cannot be done now keeps no other request waiting."""
    purge_engine = places.purger(row.space)
    try:
        if purge_engine is not None:
            return purge_engine()
        return not row.space or optimize(tenant_id=row.tenant_id, space=row.space)
    except KnowledgeError as error:
        logger.warning("The purge of %s is left to the timer: %s", row.space, error.message)
        return False


def optimize(*, tenant_id: uuid.UUID, space: str) -> bool:
    """Rewrite the files of one table; False, at once, when another purge or clean-up is at the tenant's files.

    Two would only wait for each other's lock, with a worker each.
    """
    lock = settings.DATA_DIR / "locks" / f"maintenance-{tenant_id}"
    with ExitStack() as held:
        try:
            held.enter_context(file_lock(lock, seconds=0))
        except StoreBusy:
            logger.info("The index of tenant %s is being cleaned up already", tenant_id)
            return False
        wiring.store().optimize(space=space, tenant=str(tenant_id))
    return True


def _log_emptied() -> bool:
    if connection.vendor != "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = bool(cursor.fetchone()[0])
    if busy:
        logger.info("The write-ahead log is in use and still holds deleted text: the purge is repeated")
    return not busy
