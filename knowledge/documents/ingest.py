"""One ingestion job from stored bytes to a live version."""

from __future__ import annotations

import hashlib
import logging
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import failpoints, files, jobs, notices, pace, selectors, versions
from knowledge.documents.indexes import generations, indexing
from knowledge.documents.indexes.indexing import Indexed
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexEntry,
    IndexGeneration,
    IngestionJob,
    KnowledgeBase,
)
from knowledge.errors import DocumentError, KnowledgeError, ModelBusy, ModelUnavailable, StoreBusy, StoreUnavailable
from knowledge.parsing.serial import to_json
from knowledge.types import ParsedDocument, Scope

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong while this file was processed."
BUSY_SECONDS = 15

OUTAGES = (StoreUnavailable, ModelUnavailable, ModelBusy)
OUTAGE = timedelta(hours=1)
"""A document waits so long for an index or a model that is away, and is then tried as often as any other."""

STAGES = {Document.Status.PARSING: "reading", Document.Status.EMBEDDING: "indexing"}
"""What a job does while its document has a status."""


def run_ingest(*, job_id: uuid.UUID) -> None:
    """Run the job if it is ours to run; record how it ended. Safe to call any number of times."""
    job = jobs.claim(job_id)
    if job is not None:
        run_claimed(job)


def run_claimed(job: IngestionJob) -> None:
    """Run a job that this process holds; record how it ended."""
    if job.document is None or job.version is None or job.document.status == Document.Status.DELETING:
        jobs.finish(job)
        return
    job.version.document = job.document
    try:
        _attempt(job, job.version)
    except jobs.LeaseLost:
        _leave(job, job.version)


def _attempt(job: IngestionJob, version: DocumentVersion) -> None:
    """Do the work, and write down what stopped it.

    :raises jobs.LeaseLost: the job is no longer ours, a newer version was uploaded, or the document is being deleted.
    """
    try:
        with jobs.Heartbeat(job, watched=True) as heartbeat:
            _ingest(job, version, heartbeat)
    except jobs.LeaseLost:
        raise
    except StoreBusy as error:
        _wait(job, version, error)
    except OUTAGES as error:
        if timezone.now() - job.created < OUTAGE:
            _wait(job, version, error)
        else:
            record_failure(job, version, message=error.message, permanent=False)
    except KnowledgeError as error:
        logger.warning("Document %s: %s: %s", job.document_ref, error.code, error.message)
        for_good = isinstance(error, DocumentError)  # other permanent errors end with a change of the settings
        record_failure(job, version, message=error.message, permanent=error.permanent, for_good=for_good)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Document %s failed", job.document_ref)
        record_failure(job, version, message=UNEXPECTED, permanent=False)


def _wait(job: IngestionJob, version: DocumentVersion, error: KnowledgeError) -> None:
    """Put the job back; nothing of this is the document's fault, and no attempt is counted."""
    logger.info("Document %s waits: %s", job.document_ref, error.code)
    with transaction.atomic():
        put_back = jobs.postpone(job, seconds=BUSY_SECONDS, why=error.message)
        changed = put_back and _tell(version, Document.Status.QUEUED)
    if changed:
        notices.changed(version.document)


def _ingest(job: IngestionJob, version: DocumentVersion, heartbeat: jobs.Heartbeat) -> None:
    clock = pace.Clock()
    show(job, version, Document.Status.PARSING, 0.0)
    if version.restored_from and not version.text_sha256:
        versions.reuse_reading(version)
    if version.text_sha256:  # read before: the text of a version never changes, citations count on it
        parsed = selectors.version_parsed(version)
    else:
        parsed = _parse(job, version, heartbeat)
        failpoints.reach("after_parse")
        heartbeat.check()
        keep(version, parsed)
        clock.done("reading")
    show(job, version, Document.Status.EMBEDDING, 0.0)

    def written(done: int, chunks: int) -> None:
        heartbeat.check()
        if done < chunks:
            show(job, version, Document.Status.EMBEDDING, done / chunks)

    while True:  # again when its title, or the live generation of its base, became another one meanwhile
        generation = indexing.generation_for(version.document.knowledge_base)
        indexed = indexing.index(version, generation, parsed, job=job, step=written)
        failpoints.reach("before_switch")
        if switch(job, version, generation, indexed):
            break
        version.document.knowledge_base.refresh_from_db()
    clock.done("indexing")
    failpoints.reach("after_switch")
    report = {
        "chunks": len(indexed.ranges), "reused": indexed.reused, "withdrawn": withdraw_others(version, generation),
        "seconds": clock.seconds,
    }  # fmt: skip
    jobs.finish(job, report=report)
    _follow_title(version, indexed.target.title)


def _parse(job: IngestionJob, version: DocumentVersion, heartbeat: jobs.Heartbeat) -> ParsedDocument:
    def recognised(done: int, pages: int) -> None:
        heartbeat.check()
        show(job, version, Document.Status.PARSING, done / pages)

    limits, parser = wiring.knowledge_settings().limits, wiring.parser()
    data = files.read(version, files.ORIGINAL)
    with heartbeat.ending(parser.kill):
        return parser.parse(data, filename=version.filename, limits=limits, progress=recognised)


def keep(version: DocumentVersion, parsed: ParsedDocument) -> None:
    """Store what the parser made: canonical text, layout, boxes, and the facts on the row.

    :raises jobs.LeaseLost: the version was deleted meanwhile; a plain ``save`` would insert it again.
    """
    text = parsed.text.encode("utf-8")
    files.write(version, files.TEXT, text)
    files.write_json(version, files.LAYOUT, to_json(parsed))
    if parsed.boxes is not None:
        from knowledge.parsing.boxes import encode_boxes

        files.write(version, files.BOXES, encode_boxes(parsed.boxes))
    facts = {
        "text_sha256": hashlib.sha256(text).hexdigest(),
        "characters": len(parsed.text),
        "media_type": parsed.media_type,
        "parser": parsed.parser,
        "parser_version": parsed.parser_version,
        "stated_title": (parsed.title or "")[:400],
        "page_count": len(parsed.pages) or None,
        "warnings": list(parsed.warnings)[:100],
    }
    if not DocumentVersion.objects.filter(pk=version.pk).update(**facts):
        raise jobs.LeaseLost
    for name, value in facts.items():
        setattr(version, name, value)


@transaction.atomic
def switch(job: IngestionJob, version: DocumentVersion, generation: IndexGeneration, indexed: Indexed) -> bool:
    """Make the version live and retire the one before it, in one transaction.

    Return False, with nothing changed, when its title is not the one it was indexed with any more, or its base has
    another live generation.

    :raises jobs.LeaseLost: the job is no longer ours, or a newer version was uploaded meanwhile.
    """
    jobs.hold(job)
    document = Document.objects.select_for_update(of=("self",)).get(pk=version.document_id)
    if document.status == Document.Status.DELETING or document.latest_number != version.number:
        raise jobs.LeaseLost
    base = KnowledgeBase.objects.select_for_update(of=("self",)).get(pk=document.knowledge_base_id)
    version.document = document
    if indexing.search_title(version) != indexed.target.title or base.live_generation_id != generation.pk:
        return False
    generations.locked(base)
    # Itself too: it may have been live before. Other generations take it in again (``generations.follow``).
    indexing.leave(IndexEntry.objects.filter(version__in={document.current_version_id, version.pk} - {None}))
    _archive(document)
    DocumentVersion.objects.filter(pk=version.pk).update(
        state=DocumentVersion.State.LIVE, chunk_count=len(indexed.ranges)
    )
    document.current_version_id = version.pk
    document.status, document.stage_progress, document.error = Document.Status.READY, 1.0, ""
    document.failed_for_good = False
    document.save(update_fields=["current_version", "status", "stage_progress", "error", "failed_for_good", "updated"])
    indexing.enter(version, generation, indexed)
    notices.changed(document, chunks=len(indexed.ranges))
    transaction.on_commit(lambda: generations.follow(document.knowledge_base_id))
    return True


def _follow_title(version: DocumentVersion, title: str) -> None:
    """Queue the version again if a title came after it went live and before its job was over.

    A title that comes later finds no open job and queues it itself (``services.upload_document``).
    """
    from knowledge.documents.services import process_again

    document = Document.objects.alive().filter(pk=version.document_id).first()
    if document is None:
        return
    version.document = document
    if indexing.search_title(version) != title:
        process_again(document=document)


def retire(document: Document) -> None:
    """Take the document out of every generation's statistics and archive its version; no search sees it any more."""
    indexing.leave(IndexEntry.objects.filter(version__document=document))
    _archive(document)


def _archive(document: Document) -> None:
    if document.current_version_id is not None:
        DocumentVersion.objects.filter(pk=document.current_version_id).update(state=DocumentVersion.State.ARCHIVED)


def withdraw_others(version: DocumentVersion, generation: IndexGeneration) -> int:
    """Remove what a generation has of every other version of the document; return how many records that were."""
    from knowledge.documents.deletions.deletion import request_purge

    indexed = Chunk.objects.filter(generation=generation, version=OuterRef("pk"))
    others = list(version.document.versions.filter(Exists(indexed)).exclude(pk=version.pk))
    if not others:
        return 0
    for other in others:
        other.document = version.document
    gone = indexing.take_out(others, generation)
    request_purge(tenant_id=version.document.tenant_id, space=generation.space)
    return gone


def show(job: IngestionJob, version: DocumentVersion, status: str, progress: float) -> None:
    """Put a stage on the row and tell the page.

    :raises jobs.LeaseLost: the state of the document is no longer this job's to tell.
    """
    document = version.document
    jobs.show(job, stage=STAGES[Document.Status(status)], progress=progress)
    mine = Document.objects.alive().filter(latest_number=version.number, pk__in=jobs.ours(job).values("document"))
    if not mine.update(status=status, stage_progress=progress):
        raise jobs.LeaseLost
    document.status, document.stage_progress = status, progress
    notices.changed(document)


def record_failure(
    job: IngestionJob,
    version: DocumentVersion,
    *,
    message: str,
    permanent: bool,
    for_good: bool = False,
    lost: bool = False,
) -> None:
    """End the attempt: the document waits for the next one, or has failed.

    :raises jobs.LeaseLost: the job is no longer ours.
    """
    with transaction.atomic():  # a job that is over and a document that still waits for it would stay so for ever
        over = jobs.fail(job, message=message, permanent=permanent, lost=lost)
        document, error = version.document, job.last_error if over else ""
        status = Document.Status.FAILED if over else Document.Status.QUEUED
        changed = _tell(version, status, error=error, failed_for_good=for_good)
        if over:
            live = Document.objects.filter(pk=document.pk, current_version=version.pk).exists()  # processed again
            state = DocumentVersion.State.LIVE if live else DocumentVersion.State.FAILED
            DocumentVersion.objects.filter(pk=version.pk).update(state=state)
    if changed:
        notices.changed(document)


def _tell(version: DocumentVersion, status: str, *, error: str = "", failed_for_good: bool = False) -> bool:
    """Put the end of an attempt on the document's row; False when a newer version, or its deletion, has the word."""
    document = version.document
    facts = {"status": status, "error": error, "stage_progress": 0.0, "failed_for_good": failed_for_good}
    if not Document.objects.alive().filter(pk=document.pk, latest_number=version.number).update(**facts):
        return False
    for name, value in facts.items():
        setattr(document, name, value)
    return True


def _leave(job: IngestionJob, version: DocumentVersion) -> None:
    """Somebody took over. What this job wrote of a version that nobody wants any more must not stay."""
    row = Document.objects.alive().filter(pk=version.document_id).first()
    if row is not None and row.latest_number == version.number:
        if jobs.was_cancelled(job):
            _go_back(version, live=row.current_version_id == version.pk)
        return  # or another worker is at the same version
    if row is None or row.current_version_id != version.pk:
        withdraw(version)
    if row is None:
        files.delete_folder(version.folder)
    else:
        jobs.finish(job, report={"superseded_by": row.latest_number})


def _go_back(version: DocumentVersion, *, live: bool) -> None:
    """Undo what a cancelled job did to a version: a live one is whole again, another one leaves nothing."""
    from knowledge.documents.indexes.reconcile import rewrite

    if live:  # its records were being written anew, and some of them are not there
        rewrite(version)
        return
    withdraw(version)
    DocumentVersion.objects.filter(pk=version.pk).update(state=DocumentVersion.State.FAILED)


def withdraw(version: DocumentVersion) -> None:
    """Remove what was indexed of a version that is not live, and archive it."""
    from knowledge.documents.deletions.deletion import request_purge

    document = version.document
    scope = Scope(
        tenant=str(document.tenant_id),
        knowledge_bases=frozenset({str(document.knowledge_base_id)}),
        documents=frozenset({str(document.pk)}),
    )
    # Those of the store: the base may be gone, and its generations with it, while a last batch was on its way.
    for space in wiring.store().spaces(tenant=scope.tenant):
        if wiring.store().delete(space=space, scope=scope, versions=[str(version.pk)]):
            request_purge(tenant_id=document.tenant_id, space=space)
    Chunk.objects.filter(version=version).delete()
    DocumentVersion.objects.filter(pk=version.pk).update(state=DocumentVersion.State.ARCHIVED)
