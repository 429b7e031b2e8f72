"""Writes: knowledge bases, uploads, versions, deletion. The work itself is in ``ingest`` and ``deletion``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify

from knowledge.documents import cancelling, doorbells, failpoints, files, notices, order, signals, validity
from knowledge.documents.deletions import reports
from knowledge.documents.held import Held, checked
from knowledge.documents.models import Document, DocumentVersion, IngestionJob, KnowledgeBase
from knowledge.errors import DocumentNotFound, RetryUseless
from knowledge.retrieval.calibration import Curve
from knowledge.tenants.access import Actor

GONE = "The document was deleted while the file arrived. Upload it again."
DELETION_PAUSE = timedelta(minutes=10)
"""A deletion that gave up is tried again after this long."""


def create_knowledge_base(*, actor: Actor, name: str, slug: str | None = None, description: str = "") -> KnowledgeBase:
    """Create a base; a slug that is taken gets a number."""
    stem = slugify(slug or name)[:60] or "knowledge-base"
    for number in range(1, 1000):
        candidate = stem if number == 1 else f"{stem}-{number}"
        try:
            with transaction.atomic():
                return KnowledgeBase.objects.create(
                    tenant_id=actor.tenant_id, name=name, slug=candidate, description=description
                )
        except IntegrityError:
            continue
    raise ValueError(f"No free address for a knowledge base named {name!r}.")


def update_knowledge_base(*, base: KnowledgeBase, changes: dict[str, Any]) -> KnowledgeBase:
    """Change the name or description."""
    for name in ("name", "description"):
        if name in changes:
            setattr(base, name, changes[name])
    base.save(update_fields=["name", "description"])
    return base


def keep_answer_curve(
    *, base: KnowledgeBase, curve: Curve | None, measured: Mapping[str, float] | None = None
) -> None:  # fmt: skip
    """Read the chance of an answer by a curve of the base's own, or by the scale for all again.

    It counts for the embedding model it was fitted with; ``measured`` is kept beside it.

    :raises ValueError: the base has no index a curve could belong to.
    """
    if curve is None:
        base.answer_curve = None
    else:
        if base.live_generation is None:
            raise ValueError("a curve belongs to the embedding model of an index")
        base.answer_curve = {
            **(measured or {}), "slope": curve.slope, "intercept": curve.intercept,
            "space": base.live_generation.space, "fitted": timezone.now().isoformat(),
        }  # fmt: skip
    base.save(update_fields=["answer_curve"])


def delete_knowledge_base(*, base: KnowledgeBase, actor: Actor | None = None) -> int:
    """Hide the base at once and queue the deletion of its documents; the row goes when the last one is gone."""
    KnowledgeBase.objects.filter(pk=base.pk).update(deleting=True, slug=f"deleted-{uuid.uuid4().hex[:16]}")
    documents = list(base.documents.alive())
    for document in documents:
        delete_document(document=document, actor=actor, reason="Its knowledge base was deleted.")
    transaction.on_commit(_ring_sweeper)
    return len(documents)


def upload_document(
    *,
    actor: Actor,
    base: KnowledgeBase,
    upload: File[bytes],
    filename: str,
    title: str = "",
    source_uri: str = "",
    metadata: dict[str, Any] | None = None,
    dates: Mapping[str, datetime | None] | None = None,
    name: str = "",
    held: Held | None = None,
) -> Document:
    """Store the bytes and queue their ingestion; the same name again makes a new version.

    The name is the address, or else the file name, where none is given.
    ``dates``: of validity, by their names (:data:`~knowledge.documents.validity.DATES`). ``unchanged`` of the document
    is then the number of the version that has these bytes already, if one has. ``held``: they are stored already,
    by that name.

    :raises BadDates: they make no sense.
    :raises DocumentEmpty: the file holds nothing.
    :raises DocumentTooLarge: the file is over the upload limit.
    """
    filename, title = clean_filename(filename), clean_label(title)
    source_uri = clean_label(source_uri, limit=2000)
    stored = (held.sha256, held.size) if held else checked(upload)
    name = (name or source_uri or filename)[:400]
    document = base.documents.alive().filter(name=name).first()
    if document is None:
        pk = held.document if held else uuid.uuid4()
        document = _new_document(actor, base, pk, name=name, filename=filename, title=title, source_uri=source_uri)
    try:
        validity.set_dates(document=document, changes=dates or {})
        retitled = _describe(document, title, metadata)
        version = _add_version(document, upload, filename=filename, stored=stored, actor=actor, held=held)
    except BaseException:
        Document.objects.filter(pk=document.pk, latest_number=0).delete()  # a row without a version says nothing
        raise
    if retitled and version.state == DocumentVersion.State.LIVE:
        process_again(document=document)  # the same bytes, but their title is searched too
    return document


def describe_document(*, document: Document, title: str, metadata: dict[str, Any]) -> None:
    """Change the title and metadata; a document that is searchable is indexed again under its new title."""
    if _describe(document, clean_label(title), metadata):
        newest = document.versions.order_by("-number").first()
        if newest is not None and newest.state == DocumentVersion.State.LIVE:
            process_again(document=document)


def change_document(*, document: Document, changes: Mapping[str, Any]) -> None:
    """Change what is given of title, metadata and the dates of validity; all of it, or nothing.

    :raises BadDates: they make no sense.
    """
    with transaction.atomic():
        validity.set_dates(document=document, changes={k: v for k, v in changes.items() if k in validity.DATES})
        metadata = changes.get("metadata")
        describe_document(
            document=document,
            title=changes.get("title") or "",
            metadata=document.metadata if metadata is None else metadata,
        )


def _describe(document: Document, title: str, metadata: dict[str, Any] | None) -> bool:
    """Save what was given and return whether the title is another one now.

    The state of the version must be read after this: a job that is under way looks at the title when it ends.
    """
    retitled = bool(title) and title != document.title
    if retitled or metadata is not None:
        document.title = title or document.title
        document.metadata = document.metadata if metadata is None else metadata
        document.save(update_fields=["title", "metadata", "updated"])
    return retitled


def _new_document(
    actor: Actor, base: KnowledgeBase, pk: uuid.UUID, *, name: str, filename: str, title: str, source_uri: str
) -> Document:
    try:
        with transaction.atomic():
            return Document.objects.create(
                pk=pk,
                tenant_id=base.tenant_id,
                knowledge_base=base,
                name=name,
                title=(title or filename)[:400],
                source_uri=source_uri[:2000],
                created_by_id=actor.user_id or None,
            )
    except IntegrityError:  # the same name arrived twice at once: the second becomes a version
        found = base.documents.alive().filter(name=name).first()
        if found is None:
            raise DocumentNotFound(GONE) from None
        return found


def clean_label(text: str, *, limit: int = 400) -> str:
    """Return a title or address as one line without control characters."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    return "".join(c for c in spaced if c.isprintable()).strip()[:limit]


def clean_filename(filename: str) -> str:
    """Return the last part of a file name without control characters: a label, never a path."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    printable = clean_label(last, limit=len(last))
    if not printable.strip("."):
        return "document"
    if len(printable) <= 300:
        return printable
    stem, dot, extension = printable.rpartition(".")
    return f"{stem[: 299 - len(extension)]}{dot}{extension}" if dot and len(extension) < 20 else printable[:300]


def add_version(
    *, document: Document, upload: File[bytes], filename: str, actor: Actor | None = None
) -> DocumentVersion:  # fmt: skip
    """Store the bytes as the next version and queue it. Bytes equal to the newest version are recognised.

    :raises DocumentEmpty: the file holds nothing.
    :raises DocumentTooLarge: the file is over the upload limit.
    """
    return _add_version(document, upload, filename=clean_filename(filename), stored=checked(upload), actor=actor)


def _add_version(
    document: Document, upload: File[bytes], *, filename: str, stored: tuple[str, int], actor: Actor | None,
    held: Held | None = None,
) -> DocumentVersion:  # fmt: skip
    sha256, size = stored
    is_stored = held is not None and held.document == document.pk  # else another one got the name meanwhile
    version = DocumentVersion(
        id=held.version if held and is_stored else uuid.uuid4(), document=document, filename=filename, size=size,
        sha256=sha256, created_by_id=(actor and actor.user_id) or None,
    )  # fmt: skip
    return store_version(document, version, upload, is_stored=is_stored)


def store_version(
    document: Document, version: DocumentVersion, upload: File[bytes], *, is_stored: bool = False
) -> DocumentVersion:  # fmt: skip
    """Store the bytes of a version that has no row yet, unless they are, and queue it as the next one.

    Bytes equal to those of the newest version are recognised: that one is returned, and ``document.unchanged`` is its
    number.
    """
    kept = _recognised(document, version.sha256)
    if kept is None:
        try:
            if not is_stored:
                files.save_upload(version, upload)
            failpoints.reach("file_saved")
            kept = _queue_version(document, version)
        except BaseException:
            files.delete_folder(version.folder)
            raise
        if kept is not version:
            files.delete_folder(version.folder)
    document.unchanged = kept.number if kept is not version else None
    return kept


def _recognised(document: Document, sha256: str) -> DocumentVersion | None:
    """Return the newest version when it has these bytes already."""
    newest = document.versions.order_by("-number").first()
    usable = newest is not None and newest.sha256 == sha256 and newest.state != DocumentVersion.State.FAILED
    return newest if usable else None


@transaction.atomic
def _queue_version(document: Document, version: DocumentVersion) -> DocumentVersion:
    row = Document.objects.alive().select_for_update().filter(pk=document.pk).first()
    if row is None:
        raise DocumentNotFound(GONE)
    twin = _recognised(row, version.sha256)  # the same bytes arrived twice at once
    if twin is not None:
        return twin
    row.latest_number += 1
    _set_queued(row, "latest_number")
    version.number = row.latest_number
    version.save(force_insert=True)
    failpoints.reach("row_written")
    document.latest_number, document.status, document.error = row.latest_number, row.status, ""
    document.failed_for_good = False
    _new_job(row, kind=IngestionJob.Kind.INGEST, version=version)
    notices.changed(row)
    return version


def _new_job(
    document: Document, *, kind: str, version: DocumentVersion | None = None, reason: str = ""
) -> IngestionJob:  # fmt: skip
    now, size = timezone.now(), version.size if version else 0
    begin = cancelling.free_again(document, now=now) if version else now
    job = IngestionJob.objects.create(
        kind=kind,
        document=document,
        document_ref=document.pk,
        version=version,
        tenant_id=document.tenant_id,
        reason=reason[:400],
        not_before=begin,
        published=now if begin <= now else None,
        size=size,
        turn=order.turn_of(size=size, now=now),
    )
    transaction.on_commit(lambda: _ring(job), robust=True)  # it is stored: the sweep sends what was not sent
    return job


def _ring(job: IngestionJob) -> None:
    failpoints.reach("before_enqueue")
    doorbells.ring(job)


def _ring_sweeper() -> None:
    from knowledge.documents import tasks

    tasks.publish(tasks.sweep_jobs)


def _set_queued(row: Document, *changed: str) -> None:
    row.status, row.error, row.stage_progress, row.failed_for_good = Document.Status.QUEUED, "", 0.0, False
    row.save(update_fields=["status", "error", "stage_progress", "failed_for_good", "updated", *changed])


@transaction.atomic
def retry_document(*, document: Document) -> Document:
    """Queue the newest version again for somebody who asks.

    :raises RetryUseless: it failed because of the file itself, so the same file would fail again.
    """
    row = Document.objects.alive().select_for_update().filter(pk=document.pk).first()
    if row is not None and row.status == Document.Status.FAILED and row.failed_for_good:
        raise RetryUseless(f"{row.error} {RetryUseless.default_message}")
    return process_again(document=document)


@transaction.atomic
def process_again(*, document: Document) -> Document:
    """Queue the newest version again, whatever state it ended in; nothing happens while a job of it is open.

    For operators too: a new release or a raised limit may read what was unreadable.
    """
    row = Document.objects.alive().select_for_update().filter(pk=document.pk).first()
    version = row.versions.order_by("-number").first() if row is not None else None
    if row is None or version is None or row.jobs.unfinished().exists():
        return document
    _set_queued(row)
    document.status, document.error, document.stage_progress = row.status, row.error, row.stage_progress
    document.failed_for_good = False
    DocumentVersion.objects.filter(pk=version.pk).update(state=DocumentVersion.State.PENDING)
    _new_job(row, kind=IngestionJob.Kind.INGEST, version=version)
    notices.changed(row)
    return document


def delete_document(
    *, document: Document, actor: Actor | None = None, reason: str = "", keep_name: bool = True
) -> None:
    """Take the document out of retrieval now, stop its jobs, and queue the removal of everything it left.

    Its report names who asked and why, which the job does too; it keeps the title unless ``keep_name`` is False. A
    deletion that gave up is queued again.
    """
    _delete(document, reports.Request(by=reports.who(actor), reason=reason, keep_name=keep_name))


@transaction.atomic
def _delete(document: Document, request: reports.Request) -> None:
    from knowledge.documents.ingest import retire

    # The jobs before the document, as the switch of a version locks them (``cancelling``).
    list(IngestionJob.objects.unfinished().filter(document_ref=document.pk).select_for_update(of=("self",)))
    row = Document.objects.select_for_update().filter(pk=document.pk).first()
    if row is None or (row.status == Document.Status.DELETING and row.jobs.unfinished().exists()):
        return
    row.jobs.unfinished().update(state=IngestionJob.State.CANCELLED, finished=timezone.now())
    with reports.begin(row, request):
        retire(row)
    row.status, row.current_version = Document.Status.DELETING, None
    row.save(update_fields=["status", "current_version", "updated"])
    _new_job(row, kind=IngestionJob.Kind.DELETE, reason=request.reason)
    notices.changed(row)


@transaction.atomic
def erase_document(*, document: Document, actor: Actor, reason: str = "") -> None:
    """Delete the document, and its words from all that was made of them, for ever; who may is asked before.

    Its report keeps the id alone.
    """
    _delete(document, reports.Request(by=reports.who(actor), reason=reason, keep_name=False, erased=True))
    signals.document_erased.send(
        sender=Document, actor=actor, tenant_id=str(document.tenant_id), document_id=str(document.pk), reason=reason
    )


def resume_deletions(*, now: datetime) -> None:
    """Queue again what deletions left: documents whose job gave up, and uploads that slipped into a deleted base."""
    left = Document.objects.filter(Q(status=Document.Status.DELETING) | Q(knowledge_base__deleting=True))
    deletions = IngestionJob.objects.filter(kind=IngestionJob.Kind.DELETE)
    recent = deletions.filter(Q(finished__isnull=True) | Q(finished__gt=now - DELETION_PAUSE))
    for document in left.exclude(pk__in=recent.values("document_ref"))[:500]:
        delete_document(document=document)
