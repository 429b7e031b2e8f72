"""One ingestion job from stored bytes to a live version."""

from __future__ import annotations

import hashlib
import logging
import uuid
from pathlib import PurePath

from django.conf import settings
from django.db import transaction

from knowledge import wiring
from knowledge.documents import files, jobs, notices, selectors, statistics, token_files
from knowledge.documents.models import Chunk, Document, DocumentVersion, IndexGeneration, IngestionJob, KnowledgeBase
from knowledge.embedding.base import Embedder
from knowledge.errors import DocumentError, KnowledgeError, StoreBusy
from knowledge.ingestion import stages
from knowledge.ingestion.stages import Target, TermCounts
from knowledge.languages import detect
from knowledge.parsing.serial import to_json
from knowledge.types import ChunkRange, ParsedDocument, Scope

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong while this file was processed."
BUSY_SECONDS = 15
STOPPED = "The worker was stopped each time it processed this file."


def run_ingest(*, job_id: uuid.UUID) -> None:
    """Run the job if it is ours to run; record how it ended. Safe to call any number of times."""
    job = jobs.claim(job_id)
    if job is None:
        return
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
    if job.attempts > settings.JOB_ATTEMPTS:  # it ended without a word each time: killed, or out of memory
        _record_failure(job, version, message=STOPPED, permanent=True)
        return
    try:
        with jobs.Heartbeat(job) as heartbeat:
            _ingest(job, version, heartbeat)
    except jobs.LeaseLost:
        raise
    except StoreBusy as error:
        logger.info("Document %s waits: %s", job.document_ref, error.code)
        jobs.postpone(job, seconds=BUSY_SECONDS, why=error.message)
    except KnowledgeError as error:
        logger.warning("Document %s: %s: %s", job.document_ref, error.code, error.message)
        for_good = isinstance(error, DocumentError)  # other permanent errors end with a change of the settings
        _record_failure(job, version, message=error.message, permanent=error.permanent, for_good=for_good)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Document %s failed", job.document_ref)
        _record_failure(job, version, message=UNEXPECTED, permanent=False)


def _ingest(job: IngestionJob, version: DocumentVersion, heartbeat: jobs.Heartbeat) -> None:
    show(job, version, Document.Status.PARSING, 0.0)
    if version.text_sha256:  # read before: the text of a version never changes, citations count on it
        parsed = selectors.version_parsed(version)
    else:
        parsed = _parse(job, version, heartbeat)
        heartbeat.check()
        keep(version, parsed)
    show(job, version, Document.Status.EMBEDDING, 0.0)
    generation = generation_for(version.document.knowledge_base)
    target, ranges, counts = index(job, version, generation, parsed, heartbeat)
    while not switch(job, version, generation, ranges, counts, title=target.title):
        target, ranges, counts = index(job, version, generation, parsed, heartbeat)
    jobs.finish(job, report={"chunks": len(ranges), "withdrawn": withdraw_others(version, target)})
    _follow_title(version, target.title)


def _parse(job: IngestionJob, version: DocumentVersion, heartbeat: jobs.Heartbeat) -> ParsedDocument:
    def recognised(done: int, pages: int) -> None:
        heartbeat.check()
        show(job, version, Document.Status.PARSING, done / pages)

    limits = wiring.knowledge_settings().limits
    data = files.read(version, files.ORIGINAL)
    return wiring.parser().parse(data, filename=version.filename, limits=limits, progress=recognised)


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


def generation_for(base: KnowledgeBase) -> IndexGeneration:
    """Return the base's live generation, made on first use from the embedder and chunker in use.

    A base keeps the embedding model it was built with, whatever is configured now.
    """
    if base.live_generation is not None:
        return base.live_generation
    spec, chunker = wiring.embedder().spec, wiring.chunker()  # not in the transaction: a hosted model is asked
    with transaction.atomic():
        # The generation in a query of its own: PostgreSQL reads a locked row anew after it waited for the lock, but not
        # what is joined to it, so that two first documents would each find none and make one.
        base = KnowledgeBase.objects.select_for_update().get(pk=base.pk)
        live = base.live_generation
        if live is None:
            live = IndexGeneration.objects.create(
                knowledge_base=base,
                embedding_model=spec.model,
                dimension=spec.dimension,
                model_hash=spec.model_hash,
                precision=spec.precision,
                space=spec.space,
                chunker=wiring.knowledge_settings().chunker,
                chunker_version=chunker.version,
            )
            base.live_generation = live
            base.save(update_fields=["live_generation"])
    return live


def embedder_of(generation: IndexGeneration) -> Embedder:
    """Return the embedder a generation was built with.

    :raises EmbeddingFailed: it is not there any more.
    """
    return wiring.embedder_for(
        space=generation.space,
        model=generation.embedding_model,
        dimension=generation.dimension,
        model_hash=generation.model_hash,
    )


def search_title(version: DocumentVersion) -> str:
    """The words a document is known by: its given title, the one it states, or its readable file name."""
    document = version.document
    if document.title != version.filename:
        return document.title
    stem = PurePath(version.filename).stem.replace("_", " ").strip()
    return version.stated_title or stem


def target_of(version: DocumentVersion, generation: IndexGeneration) -> Target:
    document = version.document
    return Target(
        scope=Scope(
            tenant=str(document.tenant_id),
            knowledge_bases=frozenset({str(document.knowledge_base_id)}),
            documents=frozenset({str(document.pk)}),
        ),
        knowledge_base=str(document.knowledge_base_id),
        document=str(document.pk),
        version=str(version.pk),
        generation=str(generation.pk),
        space=generation.space,
        title=search_title(version),
        language=version.language,
    )


def tell_language(version: DocumentVersion, parsed: ParsedDocument) -> None:
    """Note the language of a version before it is analysed; one that is known stays."""
    if not version.language and (language := detect(parsed.text)):
        version.language = language
        DocumentVersion.objects.filter(pk=version.pk).update(language=language)


def index(
    job: IngestionJob,
    version: DocumentVersion,
    generation: IndexGeneration,
    parsed: ParsedDocument,
    heartbeat: jobs.Heartbeat,
) -> tuple[Target, list[ChunkRange], TermCounts]:
    """Chunk the version, write its chunk rows and its index records, and prove the count."""
    tell_language(version, parsed)
    target, embedder = target_of(version, generation), embedder_of(generation)
    ranges = stages.chunk(parsed, title=target.title, chunker=wiring.chunker(generation.chunker), embedder=embedder)
    terms = stages.terms_of(parsed.text, ranges, target=target)
    counts = stages.count_terms(terms)
    rows = chunk_rows(version, generation, ranges)
    with transaction.atomic():
        jobs.hold(job)
        Chunk.objects.filter(version=version, generation=generation).delete()
        Chunk.objects.bulk_create(rows, batch_size=500)
    store = wiring.store()
    # Only what is not written again: a holder that lost its lease then takes nothing away from its successor.
    wanted = {str(row.pk) for row in rows}
    held = store.keys(space=target.space, scope=target.scope)
    stale = [key for key, _document, owner in held if owner == target.version and key not in wanted]
    if stale:
        store.delete(space=target.space, scope=target.scope, keys=stale)
    with token_files.keeping(version, generation, chunks=len(ranges), embedder=embedder) as keep_tokens:
        for done in stages.write(
            parsed.text, ranges, terms, target=target, embedder=embedder, store=store, keep_tokens=keep_tokens
        ):
            heartbeat.check()
            if done < len(ranges):
                show(job, version, Document.Status.EMBEDDING, done / len(ranges))
    return target, ranges, counts


def chunk_rows(version: DocumentVersion, generation: IndexGeneration, ranges: list[ChunkRange]) -> list[Chunk]:
    """Return the rows of the ranges, not yet saved."""
    return [
        Chunk(
            id=stages.chunk_key(version=str(version.pk), generation=str(generation.pk), ordinal=r.ordinal),
            version=version,
            generation=generation,
            ordinal=r.ordinal,
            start=r.start,
            end=r.end,
            heading_path=list(r.heading_path),
            page_first=r.page_first,
            page_last=r.page_last,
            tokens=r.tokens,
        )
        for r in ranges
    ]


@transaction.atomic
def switch(
    job: IngestionJob,
    version: DocumentVersion,
    generation: IndexGeneration,
    ranges: list[ChunkRange],
    counts: TermCounts,
    *,
    title: str,
) -> bool:
    """Make the version live and retire the one before it, in one transaction.

    Return False, with nothing changed, when its title is not the one it was indexed with any more.

    :raises jobs.LeaseLost: the job is no longer ours, or a newer version was uploaded meanwhile.
    """
    jobs.hold(job)
    document = Document.objects.select_for_update(of=("self",)).get(pk=version.document_id)
    if document.status == Document.Status.DELETING or document.latest_number != version.number:
        raise jobs.LeaseLost
    version.document = document
    if search_title(version) != title:
        return False
    retire(document)
    statistics.add(generation, counts, language=version.language)
    DocumentVersion.objects.filter(pk=version.pk).update(state=DocumentVersion.State.LIVE, chunk_count=len(ranges))
    document.current_version_id = version.pk
    document.status, document.stage_progress, document.error = Document.Status.READY, 1.0, ""
    document.failed_for_good = False
    document.save(update_fields=["current_version", "status", "stage_progress", "error", "failed_for_good", "updated"])
    # Last: until here the stored counts are those the version added when it went live before.
    statistics.remember(version, generation, counts)
    notices.changed(document, chunks=len(ranges))
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
    if search_title(version) != title:
        process_again(document=document)


def retire(document: Document) -> None:
    """Take the current version out of the statistics and archive it; retrieval stops seeing it at once."""
    current = document.current_version
    generation = document.knowledge_base.live_generation
    if current is None or generation is None:
        return
    current.document = document
    counts = statistics.recall(current, generation)
    if counts is not None:
        statistics.remove(generation, counts)
    DocumentVersion.objects.filter(pk=current.pk).update(state=DocumentVersion.State.ARCHIVED)


def withdraw_others(version: DocumentVersion, target: Target) -> int:
    """Remove the records and chunk rows of every other version of the document; return how many records."""
    others = list(version.document.versions.exclude(pk=version.pk).filter(chunks__isnull=False).distinct())
    if not others:
        return 0
    gone = wiring.store().delete(space=target.space, scope=target.scope, versions=[str(other.pk) for other in others])
    Chunk.objects.filter(version__in=others).delete()
    from knowledge.documents.deletion import request_purge

    request_purge(tenant_id=version.document.tenant_id, space=target.space)
    return gone


def show(job: IngestionJob, version: DocumentVersion, status: str, progress: float) -> None:
    """Put a stage on the row and tell the page.

    :raises jobs.LeaseLost: the state of the document is no longer this job's to tell.
    """
    document = version.document
    mine = Document.objects.alive().filter(latest_number=version.number, pk__in=jobs.ours(job).values("document"))
    if not mine.update(status=status, stage_progress=progress):
        raise jobs.LeaseLost
    document.status, document.stage_progress = status, progress
    notices.changed(document)


def _record_failure(
    job: IngestionJob, version: DocumentVersion, *, message: str, permanent: bool, for_good: bool = False
) -> None:
    over = jobs.fail(job, message=message, permanent=permanent)
    document, error = version.document, job.last_error if over else ""
    status = Document.Status.FAILED if over else Document.Status.QUEUED
    changed = (
        Document.objects.alive()
        .filter(pk=document.pk, latest_number=version.number)
        .update(status=status, error=error, stage_progress=0.0, failed_for_good=for_good)
    )
    if over:
        live = Document.objects.filter(pk=document.pk, current_version=version.pk).exists()  # it was processed again
        state = DocumentVersion.State.LIVE if live else DocumentVersion.State.FAILED
        DocumentVersion.objects.filter(pk=version.pk).update(state=state)
    if changed:
        document.status, document.error, document.stage_progress = status, error, 0.0
        document.failed_for_good = for_good
        notices.changed(document)


def _leave(job: IngestionJob, version: DocumentVersion) -> None:
    """Somebody took over. What this job wrote of a version that nobody wants any more must not stay."""
    row = Document.objects.alive().filter(pk=version.document_id).first()
    if row is not None and row.latest_number == version.number:
        return  # another worker is at the same version
    if row is None or row.current_version_id != version.pk:
        _withdraw(version)
    if row is None:
        files.delete_folder(version.folder)
    else:
        jobs.finish(job, report={"superseded_by": row.latest_number})


def _withdraw(version: DocumentVersion) -> None:
    from knowledge.documents.deletion import request_purge

    document = version.document
    scope = Scope(
        tenant=str(document.tenant_id),
        knowledge_bases=frozenset({str(document.knowledge_base_id)}),
        documents=frozenset({str(document.pk)}),
    )
    for space in set(document.knowledge_base.generations.values_list("space", flat=True)):
        if wiring.store().delete(space=space, scope=scope, versions=[str(version.pk)]):
            request_purge(tenant_id=document.tenant_id, space=space)
    Chunk.objects.filter(version=version).delete()
    DocumentVersion.objects.filter(pk=version.pk).update(state=DocumentVersion.State.ARCHIVED)
