"""Proves that database, index and files agree, and repairs where they do not.

What is derived is read first and the rows after it: a row is there before its records and files, and goes after them.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import deletion, files, indexing, selectors, statistics, token_files
from knowledge.documents.access import as_uuid
from knowledge.documents.indexing import Indexed
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexEntry,
    IndexGeneration,
    KnowledgeBase,
    TermStatistic,
)
from knowledge.ingestion import stages
from knowledge.tenants.models import Tenant
from knowledge.types import Scope

UPLOAD_TIME = timedelta(hours=1)
"""Files younger than this may belong to an upload whose row is not there yet."""


@dataclass(slots=True)
class Report:
    """What one tenant's comparison found; empty lists mean that both sides agree."""

    tenant: str
    rows: int = 0
    records: int = 0
    missing: list[str] = field(default_factory=list)  # live chunks without a record, live versions without chunks
    orphans: list[str] = field(default_factory=list)  # records without a live chunk
    folders: list[str] = field(default_factory=list)  # files of documents and versions that are gone
    places: Counter[str] = field(default_factory=Counter)  # of both, by knowledge base, document and version
    repaired: int = 0  # records written or removed
    files: int = 0  # removed

    @property
    def agrees(self) -> bool:
        return not self.missing and not self.orphans and not self.folders


def reconcile(*, tenant: Tenant, repair: bool) -> Report:
    """Compare the tenant's live chunks with its records, and its files with its rows; ``repair`` makes them agree.

    Records and files whose knowledge base or document is gone are found as well.
    """
    report, store, name = Report(tenant=tenant.slug), wiring.store(), str(tenant.pk)
    held = {space: set(store.bases(space=space, tenant=name)) for space in store.spaces(tenant=name)}
    bases = {str(b.pk): b for b in KnowledgeBase.objects.filter(tenant=tenant).select_related("live_generation")}
    for pk, base in bases.items():
        spaces = {space for space, keepers in held.items() if pk in keepers}
        for space in sorted(spaces.union(base.generations.values_list("space", flat=True))):
            _compare(base, space, report, repair=repair)
    for space, keepers in held.items():
        for pk in sorted(keepers - bases.keys()):
            scope = Scope(tenant=name, knowledge_bases=frozenset({pk}))
            _remove_left(space, scope, report, repair=repair)
    _compare_files(tenant, report, repair=repair)
    return report


def _remove_left(space: str, scope: Scope, report: Report, *, repair: bool) -> None:
    """Count the records of a base that is gone as orphans, and remove them."""
    keys = [key for key, _document, _version in wiring.store().keys(space=space, scope=scope)]
    report.records += len(keys)
    report.orphans += keys
    report.places.update({f"a knowledge base that is gone ({', '.join(scope.knowledge_bases)})": len(keys)})
    if repair:
        report.repaired += _delete(space, scope, keys)


def _delete(space: str, scope: Scope, keys: list[str]) -> int:
    """Delete records, and see to it that their text leaves the disk."""
    if not keys:
        return 0
    deletion.request_purge(tenant_id=uuid.UUID(scope.tenant), space=space)
    return wiring.store().delete(space=space, scope=scope, keys=keys)


def _compare_files(tenant: Tenant, report: Report, *, repair: bool) -> None:
    settled = timezone.now() - UPLOAD_TIME
    for folder in _folders_left(str(tenant.pk)):
        written = files.last_written(folder)
        if written is None or written > settled:
            continue
        report.folders.append(folder)
        if repair:
            report.files += files.delete_folder(folder)


def _folders_left(root: str) -> Iterator[str]:
    """Yield the folders of documents without a row, and of versions without one. Names that are no ids are not ours."""
    found = [name for name in files.folders(root) if as_uuid(name)]
    for at in range(0, len(found), 500):
        part = found[at : at + 500]
        inside = {name: [v for v in files.folders(f"{root}/{name}") if as_uuid(v)] for name in part}
        there = {str(pk) for pk in Document.objects.filter(pk__in=part).values_list("pk", flat=True)}
        versions = DocumentVersion.objects.filter(document__pk__in=part).values_list("pk", flat=True)
        known = {str(pk) for pk in versions}
        for name in part:
            if name not in there:
                yield f"{root}/{name}"
                continue
            yield from (f"{root}/{name}/{version}" for version in inside[name] if version not in known)


def _compare(base: KnowledgeBase, space: str, report: Report, *, repair: bool) -> None:
    scope = Scope(tenant=str(base.tenant_id), knowledge_bases=frozenset({str(base.pk)}))
    # In this order a version that goes live meanwhile is either still in work or among the live ones.
    held = {key: version for key, _document, version in wiring.store().keys(space=space, scope=scope)}
    busy = {str(pk) for pk in _versions_in_work(base)}
    live = {
        str(pk): str(version)
        for pk, version in Chunk.objects.filter(
            generation__space=space,
            generation=base.live_generation,
            version__in=DocumentVersion.objects.filter(
                pk__in=Document.objects.alive().filter(knowledge_base=base).values("current_version")
            ),
        ).values_list("pk", "version_id")
    }
    absent = [key for key in live if key not in held]
    found = {hit.key for hit in wiring.store().fetch(absent, space=space, scope=scope)}  # written since
    missing = [key for key in absent if key not in found]
    beside = _of_other_generations(base, space)
    orphans = [key for key, version in held.items() if not (key in live or key in beside or version in busy)]
    bare = _without_passages(base, space, busy)
    report.rows += len(live)
    report.records += len(held)
    report.missing += [*missing, *bare]
    report.orphans += orphans
    report.places += _places(base, [*(live[key] for key in missing), *bare, *(held[key] for key in orphans)])
    if repair:
        report.repaired += _delete(space, scope, orphans)
        for version_id in {*(live[key] for key in missing), *bare}:
            version = DocumentVersion.objects.select_related("document__knowledge_base").get(pk=version_id)
            Chunk.objects.filter(version=version).exclude(generation__in=base.generations.all()).delete()
            report.repaired += rewrite(version)


def _of_other_generations(base: KnowledgeBase, space: str) -> set[str]:
    """Return the keys of generations that are built, or kept, beside the live one: their own work keeps them right."""
    others = [row for row in base.generations.filter(space=space) if row.pk != base.live_generation_id]
    return {str(pk) for pk in Chunk.objects.filter(generation__in=others).values_list("pk", flat=True)}


def _without_passages(base: KnowledgeBase, space: str, busy: Collection[str]) -> list[str]:
    """Return the live versions that have passages, but none in the live generation of this space."""
    generation = base.live_generation
    if generation is None or generation.space != space:
        return []
    versions = DocumentVersion.objects.filter(
        pk__in=Document.objects.alive().filter(knowledge_base=base).values("current_version"), chunk_count__gt=0
    )
    indexed = Chunk.objects.filter(generation=generation, version=OuterRef("pk"))
    found = versions.exclude(Exists(indexed)).values_list("pk", flat=True)
    return [str(pk) for pk in found if str(pk) not in busy]


def _places(base: KnowledgeBase, versions: Iterable[str]) -> Counter[str]:
    """Say in words, for each version, which document it is of and how the rows call it."""
    counts = Counter(versions)
    rows = {str(v.pk): v for v in DocumentVersion.objects.filter(pk__in=counts).select_related("document")}
    named: Counter[str] = Counter()
    for pk, count in counts.items():
        row = rows.get(pk)
        told = f"{row.document}, version {row.number} ({row.state}, {row.document.status})" if row else f"version {pk}"
        named[f"{base.name}: {told}"] = count
    return named


def _versions_in_work(base: KnowledgeBase) -> list[object]:
    return list(
        DocumentVersion.objects.filter(
            document__knowledge_base=base, jobs__state__in=["queued", "running"]
        ).values_list("pk", flat=True)
    )


def rewrite(version: DocumentVersion) -> int:
    """Write the records of a live version again from its stored text, without parsing; return how many.

    A version that is no longer live is left alone.
    """
    generation = version.document.knowledge_base.live_generation
    if generation is None:
        return 0
    try:
        parsed = selectors.version_parsed(version)
    except FileNotFoundError:
        if _is_live(version):
            raise
        return 0
    indexing.tell_language(version, parsed)
    target = indexing.target_of(version, generation)
    embedder, store = indexing.embedder_of(generation), wiring.store()
    ranges = stages.chunk(parsed, title=target.title, chunker=wiring.chunker(generation.chunker), embedder=embedder)
    terms = stages.terms_of(parsed.text, ranges, target=target)
    counts = stages.count_terms(terms)
    digests = indexing.digests_of(parsed.text, ranges, title=target.title)
    with transaction.atomic():
        if not _is_live(version, lock=True):
            return 0
        indexing.leave(IndexEntry.objects.filter(version=version, generation=generation))
        Chunk.objects.filter(version=version, generation=generation).delete()
        Chunk.objects.bulk_create(indexing.chunk_rows(version, generation, ranges, digests=digests), batch_size=500)
        DocumentVersion.objects.filter(pk=version.pk).update(chunk_count=len(ranges))
        indexing.enter(version, generation, Indexed(target=target, ranges=ranges, counts=counts))
    store.delete(space=target.space, scope=target.scope, versions=[target.version], generation=target.generation)
    with token_files.keeping(version, generation, chunks=len(ranges), embedder=embedder) as keep_tokens:
        steps = stages.write(
            parsed.text, ranges, terms, target=target, embedder=embedder, store=store, keep_tokens=keep_tokens
        )
        written = max(steps, default=0)
    if not _is_live(version):  # replaced or deleted while it was written
        store.delete(space=target.space, scope=target.scope, versions=[target.version])
        if not Document.objects.alive().filter(pk=version.document_id).exists():
            files.delete_folder(version.folder)
        return 0
    return written


def _is_live(version: DocumentVersion, *, lock: bool = False) -> bool:
    rows = Document.objects.alive().filter(pk=version.document_id, current_version=version.pk)
    return (rows.select_for_update(of=("self",)) if lock else rows).first() is not None


def rebuild(*, base: KnowledgeBase) -> tuple[int, int]:
    """Make the index of a base again from stored text; return ``(documents, passages)``."""
    generation = base.live_generation
    if generation is None:
        return 0, 0
    scope = Scope(tenant=str(base.tenant_id), knowledge_bases=frozenset({str(base.pk)}))
    versions = DocumentVersion.objects.filter(pk__in=base.documents.alive().values("current_version")).select_related(
        "document__knowledge_base__live_generation"
    )
    with transaction.atomic():  # all at once: a version that leaves before its turn takes nothing from zero
        IndexGeneration.objects.filter(pk=generation.pk).update(chunks=0, terms=0, languages=[])
        IndexEntry.objects.filter(generation=generation).delete()
        TermStatistic.objects.filter(generation=generation).delete()
        for version in versions:
            statistics.forget(version, generation)
    beside = base.generations.filter(space=generation.space).exclude(pk=generation.pk).exists()
    wiring.store().delete(space=generation.space, scope=scope, generation=str(generation.pk) if beside else None)
    documents = passages = 0
    for version in versions.all():
        passages += rewrite(version)
        documents += 1
    wiring.store().optimize(space=generation.space, tenant=str(base.tenant_id))
    return documents, passages
