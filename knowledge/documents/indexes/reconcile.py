"""Proves that database, index and files agree, and repairs where they do not.

What is derived is read first and the rows after it: a row is there before its records and files, and goes after them.

| difference | found by | repaired by |
|---|---|---|
| a passage without a record, a searched version without passages | keys | writing the version anew |
| a record that no passage asks for; records of bases that are gone | keys | deleting it |
| a record of another generation, document, text or other words | reading every record | writing the version anew |
| passages of versions that are not searched | rows | deleting the rows |
| statistics that are no sum of the searched versions | the counts kept beside versions | summing up anew |
| token vectors or word counts that are missing, or of a gone generation | names of files | anew, or removing them |
| a text that is missing or another one | its SHA-256 | reading the original again, where that gives the same |
| files without a row | names of folders | deleting them |
| rows without their original | names of files | telling a person to upload it again |
| tables of the index in which nothing of the tenant is left | spaces | removing them |
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field, fields

from django.db import transaction

from knowledge import wiring
from knowledge.documents import files, selectors
from knowledge.documents.deletions import deletion
from knowledge.documents.indexes import comparing, comparing_files, indexing, statistics, token_files
from knowledge.documents.indexes.indexing import Indexed
from knowledge.documents.models import Chunk, Document, DocumentVersion, IndexEntry, IndexGeneration, KnowledgeBase
from knowledge.ingestion import stages
from knowledge.stores.common import batches
from knowledge.tenants.models import Tenant
from knowledge.types import Scope

KINDS = {
    "missing": "missing passages",
    "orphans": "passages too many",
    "wrong": "records that say something else than their document",
    "spare": "passages of versions that are not searched",
    "statistics": "indexes whose word statistics are wrong",
    "derived": "word counts or token vectors missing",
    "folders": "folders too many",
    "texts": "texts missing or changed",
    "lost": "matters for a person",
    "spaces": "empty tables of the index",
}
"""The kinds of difference in a report, in words behind a count."""


@dataclass(slots=True)
class Report:
    """What one tenant's comparison found; empty lists mean that both sides agree."""

    tenant: str
    rows: int = 0
    records: int = 0
    missing: list[str] = field(default_factory=list)  # live chunks without a record, live versions without chunks
    orphans: list[str] = field(default_factory=list)  # records without a live chunk
    wrong: list[str] = field(default_factory=list)  # records that say something else than their rows and texts
    spare: list[str] = field(default_factory=list)  # chunk rows of versions that are not searched
    statistics: list[str] = field(default_factory=list)  # generations whose statistics are no sum of their versions
    derived: list[str] = field(default_factory=list)  # token vectors and word counts that are missing
    folders: list[str] = field(default_factory=list)  # files of documents, versions and generations that are gone
    texts: list[str] = field(default_factory=list)  # texts that are missing or another one
    lost: list[str] = field(default_factory=list)  # sentences: what only a person can mend
    spaces: list[str] = field(default_factory=list)  # tables of the index in which nothing is left
    places: Counter[str] = field(default_factory=Counter)  # of records, by knowledge base, document and version
    repaired: int = 0  # records written or removed
    files: int = 0  # removed

    @property
    def agrees(self) -> bool:
        return not self.differences

    @property
    def differences(self) -> dict[str, int]:
        """Return how many differences of each kind there are; kinds without any are left out."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: len(found) for name, found in named.items() if isinstance(found, list) and found}


def reconcile(*, tenant: Tenant, repair: bool, deep: bool = True) -> Report:
    """Compare the tenant's live chunks with its records, and its files with its rows; ``repair`` makes them agree.

    Records and files whose knowledge base or document is gone are found as well. Without ``deep`` no record, text or
    count is read: only keys, rows and names are compared.
    """
    report, store, name = Report(tenant=tenant.slug), wiring.store(), str(tenant.pk)
    held = {space: set(store.bases(space=space, tenant=name)) for space in store.spaces(tenant=name)}
    bases = {str(b.pk): b for b in KnowledgeBase.objects.filter(tenant=tenant).select_related("live_generation")}
    for base in bases.values():
        _compare(base, {space for space, keepers in held.items() if str(base.pk) in keepers}, report, repair, deep)
    for space, keepers in held.items():
        for pk in sorted(keepers - bases.keys()):
            scope = Scope(tenant=name, knowledge_bases=frozenset({pk}))
            _remove_left(space, scope, report, repair=repair)
    _remove_spaces(tenant, report, repair=repair)
    for folder in comparing_files.folders_left(tenant):
        report.folders.append(folder)
        if repair:
            report.files += files.delete_folder(folder)
    return report


def _compare(base: KnowledgeBase, spaces: set[str], report: Report, repair: bool, deep: bool) -> None:
    """Compare what a base has in these spaces, and in those of its generations."""
    found = comparing.records_of(base, spaces, deep=deep)
    sides = comparing_files.files_of(base, busy=found.busy, deep=deep)
    report.rows += found.rows
    report.records += found.records
    report.missing += found.missing
    report.orphans += [key for keys in found.orphans.values() for key in keys]
    report.wrong += found.wrong
    report.spare += found.spare
    report.places += found.places
    report.derived += sides.derived
    report.folders += sides.foreign
    report.texts += [str(version.pk) for version in sides.texts]
    report.lost += sides.lost
    if repair:
        report.lost += comparing_files.restored(sides.texts)
        report.files += comparing_files.removed(sides.foreign)
        report.repaired += _delete_orphans(base, found)
        for part in batches(found.spare, comparing.PART):
            Chunk.objects.filter(pk__in=part).delete()
        for version_id, generation_id in sorted({*found.again, *sides.again}, key=str):
            report.repaired += _again(version_id, generation_id, report)
    for generation in base.generations.exclude(state=IndexGeneration.State.COLLECTING) if deep or repair else ():
        if statistics.differ(generation, repair=repair):
            report.statistics.append(str(generation.pk))


def _again(version_id: str, generation_id: str, report: Report) -> int:
    """Write a version of a generation again; what cannot be is for a person."""
    rows = DocumentVersion.objects.select_related("document__knowledge_base__live_generation")
    version, generation = rows.filter(pk=version_id).first(), IndexGeneration.objects.filter(pk=generation_id).first()
    if version is None or generation is None:
        return 0
    try:
        return rewrite(version, generation)
    except FileNotFoundError:
        report.lost.append(comparing_files.told(version, "has lost its text"))
        return 0


def _remove_left(space: str, scope: Scope, report: Report, *, repair: bool) -> None:
    """Count the records of a base that is gone as orphans, and remove them."""
    keys = [key for key, _document, _version in wiring.store().keys(space=space, scope=scope)]
    report.records += len(keys)
    report.orphans += keys
    report.places.update({f"a knowledge base that is gone ({', '.join(scope.knowledge_bases)})": len(keys)})
    if repair:
        report.repaired += _delete(space, scope, keys)


def _remove_spaces(tenant: Tenant, report: Report, *, repair: bool) -> None:
    """Find the tables that hold nothing and that no generation of the tenant will write to."""
    store, name = wiring.store(), str(tenant.pk)
    wanted = set(IndexGeneration.objects.filter(knowledge_base__tenant=tenant).values_list("space", flat=True))
    for space in store.spaces(tenant=name):
        if space in wanted or store.bases(space=space, tenant=name):
            continue
        report.spaces.append(space)
        if repair:
            store.delete_tenant(tenant=name, space=space)


def _delete_orphans(base: KnowledgeBase, found: comparing.Records) -> int:
    return sum(
        _delete(space, base.scope, comparing.still_orphans(space, base.scope, keys, judged=found.judged))
        for space, keys in found.orphans.items()
    )


def _delete(space: str, scope: Scope, keys: list[str]) -> int:
    """Delete records, and see to it that their text leaves the disk."""
    if not keys:
        return 0
    deletion.request_purge(tenant_id=uuid.UUID(scope.tenant), space=space)
    return wiring.store().delete(space=space, scope=scope, keys=keys)


def rewrite(version: DocumentVersion, generation: IndexGeneration | None = None) -> int:
    """Write the records of a live version again from its stored text, without parsing; return how many.

    They are overwritten in place, so that searches find them meanwhile. A version that is no longer live is left alone.

    :raises FileNotFoundError: its text is gone.
    """
    generation = generation or version.document.knowledge_base.live_generation
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
    counts, digests = stages.count_terms(terms), indexing.digests_of(parsed.text, ranges, title=target.title)
    rows = indexing.chunk_rows(version, generation, ranges, digests=digests)
    if not _enter(version, generation, rows, Indexed(target=target, ranges=ranges, counts=counts)):
        return 0
    wanted = {str(row.pk) for row in rows}
    held = indexing.keys_of(target)
    stale = [key for key, _document, owner in held if owner == target.version and key not in wanted]
    if stale:  # no row asks for them any more
        store.delete(space=target.space, scope=target.scope, keys=stale)
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


def _enter(version: DocumentVersion, generation: IndexGeneration, rows: list[Chunk], indexed: Indexed) -> bool:
    """Put the rows, the statistics and the entry of a live version in place of those before; False when it is not."""
    live = version.document.knowledge_base.live_generation_id == generation.pk
    with transaction.atomic():
        if not _is_live(version, lock=True):
            return False
        indexing.leave(IndexEntry.objects.filter(version=version, generation=generation))
        Chunk.objects.filter(version=version, generation=generation).delete()
        Chunk.objects.bulk_create(rows, batch_size=500)
        if live:
            DocumentVersion.objects.filter(pk=version.pk).update(chunk_count=len(rows))
        indexing.enter(version, generation, indexed)
    return True


def _is_live(version: DocumentVersion, *, lock: bool = False) -> bool:
    rows = Document.objects.alive().filter(pk=version.document_id, current_version=version.pk)
    return (rows.select_for_update(of=("self",)) if lock else rows).first() is not None


def rebuild(*, base: KnowledgeBase) -> tuple[int, int]:
    """Make the index of a base again from stored text; return ``(documents, passages)``.

    It goes document by document and overwrites: questions asked meanwhile find what they found before.
    """
    generation = base.live_generation
    if generation is None:
        return 0, 0
    versions = DocumentVersion.objects.filter(pk__in=base.documents.alive().values("current_version")).select_related(
        "document__knowledge_base__live_generation"
    )
    documents = passages = 0
    for version in versions:
        passages += rewrite(version)
        documents += 1
    found = comparing.records_of(base, {generation.space}, deep=False)
    _delete_orphans(base, found)
    statistics.differ(generation, repair=True)
    statistics.tell_languages(generation)
    wiring.store().optimize(space=generation.space, tenant=str(base.tenant_id))
    return documents, passages
