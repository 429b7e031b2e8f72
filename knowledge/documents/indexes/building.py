"""The work on index generations: what is missing is taken in, what is left over is taken out, old ones are removed."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import files, jobs, selectors
from knowledge.documents.deletions import deletion
from knowledge.documents.indexes import generations, index_jobs, indexing, statistics, token_files
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexEntry,
    IndexGeneration,
    IndexJob,
    IngestionJob,
    KnowledgeBase,
    TermStatistic,
)
from knowledge.errors import DocumentError, IndexMismatch

logger = logging.getLogger(__name__)

SLICE_SECONDS = 300
"""A job works that long, and comes again behind the work of others."""

SHORT_SECONDS = 5
"""It works that long where uploaded documents wait: they come first, and yet the index gets on."""

TELL_SECONDS = 1.0
"""Its progress is counted and told that often: each count reads all documents of the base."""

PART = 100
WORDS = index_jobs.Words(
    stopped="The worker was stopped each time it worked on this index.",
    unexpected="Something went wrong while this index was worked on.",
    busy_seconds=15,
)


def run(*, job_id: uuid.UUID) -> None:
    """Do the job if it is ours to do; record how it ended. Safe to call any number of times."""
    job = jobs.claim_of(IndexJob.objects.select_related("generation__knowledge_base"), job_id)
    if job is None:
        return
    try:
        index_jobs.attempt(job, lambda heartbeat: _work(job, heartbeat), words=WORDS, lasting=True)
    except jobs.LeaseLost:
        logger.info("Index job %s was taken over or cancelled", job.pk)
        _leave(job)


def _leave(job: IndexJob) -> None:
    """Take away what was written of a generation after its removal began: a last batch may have been on its way."""
    generation = job.generation
    if generation is None:
        return
    gone = IndexGeneration.objects.filter(pk=generation.pk).exclude(state=IndexGeneration.State.COLLECTING)
    if job.kind == IndexJob.Kind.BUILD and not gone.exists():
        scope = generation.knowledge_base.scope
        if wiring.store().delete(space=generation.space, scope=scope, generation=str(generation.pk)):
            deletion.request_purge(tenant_id=job.tenant_id, space=generation.space)


def _work(job: IndexJob, heartbeat: jobs.Heartbeat) -> None:
    if job.generation is None:
        jobs.finish(job)
    elif job.kind == IndexJob.Kind.COLLECT:
        _collect(job, job.generation, heartbeat)
    else:
        _build(job, job.generation, heartbeat)


def _build(job: IndexJob, generation: IndexGeneration, heartbeat: jobs.Heartbeat) -> None:
    began = told = time.monotonic()
    removed = _withdraw_left(generation, heartbeat)
    _note_begin(job, generation)
    taken = 0
    while True:
        for version in (
            generations.missing(generation).select_related("document__knowledge_base").order_by("created")[:PART]
        ):
            heartbeat.check()
            taken += _take_in(job, version, generation, heartbeat)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                _progress(job, generation)
            if _is_over(time.monotonic() - began):
                _progress(job, generation)
                jobs.postpone(job, seconds=0)
                return
        removed += _withdraw_left(generation, heartbeat)
        if _complete(job, generation, report={"documents": taken, "withdrawn": removed}):
            return


def _is_over(seconds: float) -> bool:
    """Whether a job that worked for so long gives its process away."""
    if seconds > SLICE_SECONDS:
        return True
    return seconds > SHORT_SECONDS and bool(IngestionJob.objects.due(now=timezone.now()).exists())


def _note_begin(job: IndexJob, generation: IndexGeneration) -> None:
    """Keep how many documents were held when the work began: what it took since tells how long the rest takes."""
    if "begun" not in job.report:
        total = generations.searchable(generation.knowledge_base_id).count()
        job.report = {"begun": total - generations.missing(generation).count()}
        jobs.ours(job).update(report=job.report)


def _progress(job: IndexJob, generation: IndexGeneration) -> None:
    total = generations.searchable(generation.knowledge_base_id).count()
    held = total - generations.missing(generation).count()
    if not jobs.ours(job).update(progress=held / max(1, total), stage="indexing"):
        raise jobs.LeaseLost


def _take_in(job: IndexJob, version: DocumentVersion, generation: IndexGeneration, heartbeat: jobs.Heartbeat) -> int:
    """Index a version; return 0 when it was replaced, deleted or renamed meanwhile, so that its turn comes again."""
    try:
        parsed = selectors.version_parsed(version)
        indexed = indexing.index(version, generation, parsed, job=job, step=lambda *_: heartbeat.check())
    except (FileNotFoundError, IndexMismatch) as error:
        if not generations.searchable(generation.knowledge_base_id).filter(pk=version.pk).exists():
            _withdraw(generation, version)  # its deletion took away what was being read and written
            return 0
        if isinstance(error, IndexMismatch):
            raise
        raise IndexMismatch(
            f"The stored text of {version.document.title} is missing. Upload the file again, or delete the document."
        ) from None
    except DocumentError as error:
        raise type(error)(f"{version.document.title} cannot be cut like that: {error.message}") from error
    with transaction.atomic():
        jobs.hold(job)
        document = Document.objects.alive().select_for_update(of=("self",)).filter(pk=version.document_id).first()
        if document is not None and document.current_version_id == version.pk:
            version.document = document
            if indexing.search_title(version) == indexed.target.title:
                # A version that was processed again meanwhile may have been left by its switch, never entered twice.
                indexing.leave(IndexEntry.objects.filter(generation=generation, version=version))
                indexing.enter(version, generation, indexed)
                return 1
    if document is None or document.current_version_id != version.pk:
        _withdraw(generation, version)
    return 0


@transaction.atomic
def _complete(job: IndexJob, generation: IndexGeneration, *, report: dict[str, int]) -> bool:
    """Close the job when nothing is missing any more, and switch where that is wanted; False when something is."""
    jobs.hold(job)
    base = KnowledgeBase.objects.select_for_update(of=("self",)).get(pk=generation.knowledge_base_id)
    row = generations.locked(base).get(generation.pk)
    if row is None:
        raise jobs.LeaseLost
    if generations.missing(row).exists():
        return False
    if row.state == IndexGeneration.State.BUILDING:
        row.state = IndexGeneration.State.READY
        row.save(update_fields=["state"])
    if row.switch_when_ready and base.live_generation_id != row.pk:
        generations.switch(base, row)
    jobs.finish(job, report=report)
    return True


def _withdraw_left(generation: IndexGeneration, heartbeat: jobs.Heartbeat) -> int:
    """Remove what the generation has of versions that it does not hold and shall not."""
    held = IndexEntry.objects.filter(generation=generation, version=OuterRef("version"))
    rows = Chunk.objects.filter(generation=generation).exclude(Exists(held))
    rows = rows.exclude(version__in=generations.searchable(generation.knowledge_base_id))
    gone = 0
    for pk in rows.values_list("version", flat=True).distinct():
        heartbeat.check()
        version = DocumentVersion.objects.select_related("document__knowledge_base").filter(pk=pk).first()
        if version is not None:
            gone += _withdraw(generation, version)
    return gone


def _withdraw(generation: IndexGeneration, version: DocumentVersion) -> int:
    """Remove a version's records, chunk rows and derived files from a generation; return how many records."""
    gone = indexing.take_out([version], generation)
    if gone:
        deletion.request_purge(tenant_id=version.document.tenant_id, space=generation.space)
    if not DocumentVersion.objects.filter(pk=version.pk).exists():  # deleted meanwhile: its folder was emptied before
        files.delete_folder(version.folder)
    return gone


def _collect(job: IndexJob, generation: IndexGeneration, heartbeat: jobs.Heartbeat) -> None:
    """Remove a generation: records, derived files, rows."""
    base = generation.knowledge_base
    records = wiring.store().delete(space=generation.space, scope=base.scope, generation=str(generation.pk))
    rows = DocumentVersion.objects.filter(
        Exists(Chunk.objects.filter(generation=generation, version=OuterRef("pk")))
    ).select_related("document")
    for version in rows.iterator(chunk_size=PART):
        heartbeat.check()
        statistics.forget(version, generation)
        token_files.forget(version, generation)
    _delete_rows(heartbeat, lambda: Chunk.objects.filter(generation=generation))
    _delete_rows(heartbeat, lambda: TermStatistic.objects.filter(generation=generation))
    left = wiring.store().count(space=generation.space, scope=base.scope, generation=str(generation.pk))
    if left:
        raise IndexMismatch(f"{left} passages of the removed index are still there.")
    with transaction.atomic():
        jobs.hold(job)
        deletion.request_purge(tenant_id=base.tenant_id, space=generation.space)
        logger.info("Index %s of %s is removed with %s records", generation.pk, base.pk, records)
        generation.delete()


def _delete_rows(heartbeat: jobs.Heartbeat, rows: Callable[[], object]) -> None:
    """Delete rows a few thousand at a time: one statement would keep all other writers waiting."""
    while keys := list(rows().values_list("pk", flat=True)[:2_000]):  # type: ignore[attr-defined]
        heartbeat.check()
        rows().filter(pk__in=keys).delete()  # type: ignore[attr-defined]
