"""A version into an index generation: chunk rows, records, corpus statistics, and the entry that says it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.db import transaction
from django.db.models import QuerySet

from knowledge import wiring
from knowledge.documents import failpoints, jobs
from knowledge.documents.indexes import statistics, token_files
from knowledge.documents.indexes.reuse import Earlier
from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import Chunk, DocumentVersion, IndexEntry, IndexGeneration, KnowledgeBase
from knowledge.embedding.base import Embedder
from knowledge.errors import IndexMismatch
from knowledge.ingestion import stages
from knowledge.ingestion.stages import Target, TermCounts
from knowledge.languages import detect
from knowledge.types import ChunkRange, ParsedDocument, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A version whose records are written and counted, and which no search sees yet."""

    target: Target
    ranges: list[ChunkRange]
    counts: TermCounts
    reused: int = 0
    """Passages whose vectors were made before."""


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
    version: DocumentVersion,
    generation: IndexGeneration,
    parsed: ParsedDocument,
    *,
    job: LeasedJob,
    step: Callable[[int, int], None],
) -> Indexed:
    """Chunk the version, write its chunk rows and its index records, and prove the count.

    ``step`` is called with how many chunks are written, and of how many.

    :raises jobs.LeaseLost: the job is no longer ours.
    :raises IndexMismatch: the store does not hold what was written, or the version is gone.
    """
    tell_language(version, parsed)
    target, embedder = target_of(version, generation), embedder_of(generation)
    ranges = stages.chunk(parsed, title=target.title, chunker=wiring.chunker(generation.chunker), embedder=embedder)
    terms = stages.terms_of(parsed.text, ranges, target=target)
    counts = stages.count_terms(terms)
    digests = digests_of(parsed.text, ranges, title=target.title)
    rows = chunk_rows(version, generation, ranges, digests=digests)
    with transaction.atomic():
        jobs.hold(job)
        if not DocumentVersion.objects.filter(pk=version.pk).exists():
            raise IndexMismatch("The document was deleted while it was indexed.")
        Chunk.objects.filter(version=version, generation=generation).delete()
        Chunk.objects.bulk_create(rows, batch_size=500)
    store = wiring.store()
    # Only what is not written again: a holder that lost its lease then takes nothing away from its successor.
    wanted = {str(row.pk) for row in rows}
    held = keys_of(target)
    stale = [key for key, _document, owner in held if owner == target.version and key not in wanted]
    if stale:
        store.delete(space=target.space, scope=target.scope, keys=stale)
    with token_files.keeping(version, generation, chunks=len(ranges), embedder=embedder) as keep_tokens:
        earlier = Earlier(version, generation, digests=digests, with_tokens=keep_tokens is not None)
        for done in stages.write(
            parsed.text, ranges, terms, target=target, embedder=embedder, store=store, keep_tokens=keep_tokens,
            reuse=earlier,
        ):  # fmt: skip
            if done < len(ranges):
                failpoints.reach("mid_embedding")
            step(done, len(ranges))
    failpoints.reach("after_vector_write")
    return Indexed(target=target, ranges=ranges, counts=counts, reused=earlier.reused)


def keys_of(target: Target) -> Iterator[tuple[str, str, str]]:
    """Return what the store holds of a version. Counted first: listing reads a whole tenant on some engines."""
    store = wiring.store()
    if not store.count(space=target.space, scope=target.scope, version=target.version, generation=target.generation):
        return iter(())
    return store.keys(space=target.space, scope=target.scope, generation=target.generation)


def take_out(versions: Sequence[DocumentVersion], generation: IndexGeneration) -> int:
    """Remove what a generation has of versions of one document: derived files, records, and last the rows that tell of
    them; return how many records. Their text leaves the disk with the next purge, which is the caller's to ask for."""
    for version in versions:
        statistics.forget(version, generation)
        token_files.forget(version, generation)
    target, names = target_of(versions[0], generation), [str(version.pk) for version in versions]
    gone = wiring.store().delete(space=target.space, scope=target.scope, versions=names, generation=target.generation)
    Chunk.objects.filter(generation=generation, version__in=versions).delete()
    return gone


def enter(version: DocumentVersion, generation: IndexGeneration, indexed: Indexed) -> None:
    """Count a version among those that a generation holds. Call inside the transaction that makes it so.

    Last in that transaction: until here the stored counts are those it was entered with before.
    """
    statistics.add(generation, indexed.counts, language=version.language)
    IndexEntry.objects.create(generation=generation, version=version, chunks=len(indexed.ranges))
    statistics.remember(version, generation, indexed.counts)


def leave(entries: QuerySet[IndexEntry]) -> None:
    """Take versions out of what their generations hold. Call inside the transaction that retires them."""
    # In the order of the generations: two writers lock their rows in one order.
    for entry in entries.select_related("generation", "version__document").order_by("generation_id"):
        counts = statistics.recall(entry.version, entry.generation)
        if counts is not None:
            statistics.remove(entry.generation, counts)
        entry.delete()


def digests_of(text: str, ranges: list[ChunkRange], *, title: str) -> dict[int, str]:
    """Return by ordinal the digest of everything that a chunk's vectors are made of."""
    return {r.ordinal: stages.digest_of(r, text[r.start : r.end], title=title) for r in ranges}


def chunk_rows(
    version: DocumentVersion, generation: IndexGeneration, ranges: list[ChunkRange], *, digests: Mapping[int, str]
) -> list[Chunk]:
    """Return the rows of the ranges, not yet saved; a range without a digest is never used again."""
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
            digest=digests.get(r.ordinal, ""),
        )
        for r in ranges
    ]
