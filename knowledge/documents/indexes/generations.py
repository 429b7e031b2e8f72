"""Index generations: started beside the live one, kept current, switched to, gone back from, and removed.

A base keeps the generation it left for some days, and that one follows every change as well, so that going back is the
same act as switching: one transaction.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from knowledge import wiring
from knowledge.chunking.plugins import UnknownChunker, chunker_of
from knowledge.documents import doorbells
from knowledge.documents.models import (
    Document,
    DocumentVersion,
    IndexEntry,
    IndexGeneration,
    IndexJob,
    KnowledgeBase,
)
from knowledge.errors import GenerationRefused

State = IndexGeneration.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a generation is: ``documents`` that are searchable in the base, ``held`` of them whole in it."""

    generation: IndexGeneration
    live: bool
    documents: int
    held: int
    job: IndexJob | None

    @property
    def whole(self) -> bool:
        return self.held == self.documents


def start(*, base: KnowledgeBase, embedding: str = "", chunker: str = "", switch: bool = False) -> IndexGeneration:
    """Begin a generation beside the live one, and return it.

    ``embedding`` names a model (``wiring.embedder_named``), ``chunker`` a chunker with options; "" are those the
    settings choose. With ``switch`` it becomes the live one as soon as it is whole.

    :raises GenerationRefused: it would be no other than one the base has, another one is being built, or there is no
        such model or chunker.
    """
    choice = chunker or settings.CHUNKER
    try:
        cutter, spec = chunker_of(choice), wiring.embedder_named(embedding).spec  # a hosted model is asked
    except (UnknownChunker, LookupError) as error:
        raise GenerationRefused(str(error)) from error
    with transaction.atomic():
        locked = KnowledgeBase.objects.select_for_update(of=("self",)).get(pk=base.pk)
        kept = list(locked.generations.exclude(state=State.COLLECTING))
        for other in kept:
            if (other.space, other.chunker, other.chunker_version) == (spec.space, choice, cutter.version):
                raise GenerationRefused(_same(other, live=other.pk == locked.live_generation_id))
            if other.state == State.BUILDING or (other.state == State.READY and other.pk != locked.live_generation_id):
                raise GenerationRefused("Another index is being built here. Switch to it or remove it first.")
        generation = IndexGeneration.objects.create(
            knowledge_base=locked, embedding_model=spec.model, dimension=spec.dimension, model_hash=spec.model_hash,
            precision=spec.precision, space=spec.space, chunker=choice, chunker_version=cutter.version,
            state=State.BUILDING, switch_when_ready=switch,
        )  # fmt: skip
        _new_job(generation, IndexJob.Kind.BUILD)
    return generation


def _same(other: IndexGeneration, *, live: bool) -> str:
    if live:
        return "The index in use has this embedding model and this chunker already."
    kept = "is kept from before" if other.state == State.RETIRED else "is there already"
    return f"An index with this embedding model and this chunker {kept}: switch to it."


def searchable(base_id: uuid.UUID) -> QuerySet[DocumentVersion]:
    """Return the versions that searches of the base may find: what every generation has to hold."""
    documents = Document.objects.alive().filter(knowledge_base=base_id, current_version__isnull=False)
    return DocumentVersion.objects.filter(pk__in=documents.values("current_version"))


def missing(generation: IndexGeneration) -> QuerySet[DocumentVersion]:
    """Return the versions that the generation does not hold yet."""
    held = IndexEntry.objects.filter(generation=generation, version=OuterRef("pk"))
    return searchable(generation.knowledge_base_id).exclude(Exists(held))


def standings(base: KnowledgeBase) -> list[Standing]:
    """Return how far each generation of the base is: the live one first, then the youngest."""
    documents = searchable(base.pk).count()
    rows = sorted(base.generations.all(), key=lambda row: (row.pk != base.live_generation_id, -row.created.timestamp()))
    return [
        Standing(
            generation=row, live=row.pk == base.live_generation_id, documents=documents,
            held=documents - missing(row).count(), job=row.jobs.order_by("-created").first(),
        )
        for row in rows
    ]  # fmt: skip


def make_live(generation: IndexGeneration) -> bool:
    """Search through this generation from now on; False when it first has to catch up, and becomes the live one then.

    :raises GenerationRefused: it is being removed.
    """
    with transaction.atomic():
        base = KnowledgeBase.objects.select_for_update(of=("self",)).get(pk=generation.knowledge_base_id)
        row = locked(base).get(generation.pk)
        if row is None or row.state == State.COLLECTING:
            raise GenerationRefused("This index is being removed.")
        if row.pk == base.live_generation_id:
            return True
        if row.state != State.BUILDING and not missing(row).exists():
            switch(base, row)
            return True
        IndexGeneration.objects.filter(pk=row.pk).update(switch_when_ready=True)
        _new_job(row, IndexJob.Kind.BUILD)
    return False


def locked(base: KnowledgeBase) -> dict[uuid.UUID, IndexGeneration]:
    """Lock the generations of a base in their one order, as whoever takes a document out of several does."""
    rows = base.generations.select_for_update(of=("self",), no_key=True).order_by("pk")
    return {row.pk: row for row in rows}


def switch(base: KnowledgeBase, generation: IndexGeneration) -> None:
    """Make a whole generation the live one. Call it in a transaction that holds the base's row."""
    now = timezone.now()
    if base.live_generation_id is not None:
        left = IndexGeneration.objects.filter(pk=base.live_generation_id)
        left.update(state=State.RETIRED, switched=now, switch_when_ready=False)
    IndexGeneration.objects.filter(pk=generation.pk).update(state=State.READY, switched=now, switch_when_ready=False)
    KnowledgeBase.objects.filter(pk=base.pk).update(live_generation=generation)
    base.live_generation = generation
    counts = IndexEntry.objects.filter(generation=generation, version=OuterRef("pk")).values("chunks")
    searchable(base.pk).update(chunk_count=Subquery(counts))


def remove(generation: IndexGeneration) -> None:
    """Stop what is done for a generation and queue its removal.

    :raises GenerationRefused: it is the one in use.
    """
    with transaction.atomic():
        # The jobs before the base, as a job that ends locks them: two that wait for each other would both end.
        open_jobs = generation.jobs.unfinished().select_for_update(of=("self",)).order_by("pk")
        builds = [job.pk for job in open_jobs if job.kind == IndexJob.Kind.BUILD]
        base = KnowledgeBase.objects.select_for_update(of=("self",)).get(pk=generation.knowledge_base_id)
        if base.live_generation_id == generation.pk:
            raise GenerationRefused("This index is in use. Switch to another one before it is removed.")
        IndexJob.objects.filter(pk__in=builds).update(state=IndexJob.State.CANCELLED, finished=timezone.now())
        IndexGeneration.objects.filter(pk=generation.pk).update(state=State.COLLECTING, switch_when_ready=False)
        _new_job(generation, IndexJob.Kind.COLLECT)


def retry(generation: IndexGeneration) -> None:
    """Queue again what failed last.

    :raises GenerationRefused: nothing did.
    """
    last = generation.jobs.order_by("-created").first()
    if last is None or last.state != IndexJob.State.FAILED:
        raise GenerationRefused("Nothing failed on this index that could be tried again.")
    with transaction.atomic():
        _new_job(generation, last.kind)


def follow(base_id: uuid.UUID) -> None:
    """Queue the work on generations of a base that a change left behind. Cheap where there is only the live one."""
    kept = IndexGeneration.objects.filter(knowledge_base=base_id, knowledge_base__deleting=False)
    behind = kept.exclude(knowledge_base__live_generation=F("pk")).exclude(state=State.COLLECTING)
    for generation in behind.select_related("knowledge_base"):
        if missing(generation).exists():
            with transaction.atomic():
                _new_job(generation, IndexJob.Kind.BUILD)


def resume(*, now: datetime) -> None:
    """Queue again what was left: generations behind, removals that gave up, and those kept for long enough."""
    old = timedelta(days=settings.KEEP_GENERATIONS_DAYS)
    beside = IndexGeneration.objects.exclude(knowledge_base__live_generation=F("pk"))
    for generation in beside.filter(state=State.RETIRED, switched__lt=now - old)[:20]:
        remove(generation)
    tried = IndexJob.objects.filter(generation=OuterRef("pk"), created__gt=now - RETRY)
    for generation in beside.filter(state=State.COLLECTING).exclude(Exists(tried))[:20]:
        with transaction.atomic():
            _new_job(generation, IndexJob.Kind.COLLECT)
    waiting = beside.exclude(state=State.COLLECTING).exclude(Exists(tried.exclude(state=IndexJob.State.DONE)))
    for base_id in set(waiting.values_list("knowledge_base", flat=True)):
        follow(base_id)


RETRY = timedelta(minutes=10)
"""Work that gave up is tried again after this long."""


def _new_job(generation: IndexGeneration, kind: str) -> None:
    """Queue a job unless one of the generation is open. Call it inside a transaction."""
    now = timezone.now()
    try:
        with transaction.atomic():
            job = IndexJob.objects.create(
                kind=kind, tenant_id=generation.knowledge_base.tenant_id, generation=generation,
                not_before=now, published=now,
            )  # fmt: skip
    except IntegrityError:  # one is open already and takes in what is missing
        return
    transaction.on_commit(lambda: doorbells.ring(job))
