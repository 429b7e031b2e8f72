"""Compares the records of a base's index with its rows and texts, generation by generation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from django.db.models import Count, Q

from knowledge import wiring
from knowledge.documents import selectors
from knowledge.documents.indexes import generations, statistics
from knowledge.documents.models import Chunk, DocumentVersion, IndexEntry, IndexGeneration, KnowledgeBase
from knowledge.ingestion import stages
from knowledge.stores.common import batches
from knowledge.types import Hit, Scope

__all__ = ["PART", "Pair", "Records", "records_of", "still_orphans"]

Pair: TypeAlias = tuple[str, str]
"""Ids of a version and of a generation, which is written again."""

PART = 500


@dataclass(slots=True)
class Records:
    """What was found of one base."""

    rows: int = 0
    records: int = 0
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    orphans: dict[str, list[str]] = field(default_factory=dict)  # by space
    again: set[Pair] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)  # versions that jobs are at
    judged: set[str] = field(default_factory=set)  # generations whose rows were read
    places: Counter[str] = field(default_factory=Counter)


def records_of(base: KnowledgeBase, spaces: Collection[str], *, deep: bool) -> Records:
    """Compare keys, and with ``deep`` what every record says, in these spaces and those of the base's generations."""
    found, touched = Records(), Counter[str]()
    everything = {*spaces, *base.generations.values_list("space", flat=True)}
    # In this order a generation that is begun meanwhile is among the kept ones, and a version that goes live meanwhile
    # is either still in work or among the live ones.
    held = {space: _held(base, space) for space in everything}
    kept = list(base.generations.exclude(state=IndexGeneration.State.COLLECTING))
    found.judged = {str(row.pk) for row in kept}
    found.busy = {str(pk) for pk in _versions_in_work(base)}
    known = {str(pk) for pk in Chunk.objects.filter(generation__in=_beside(base, kept)).values_list("pk", flat=True)}
    for generation in (row for row in kept if row.space in held):  # else it was begun meanwhile
        if generation.pk == base.live_generation_id or not generation.jobs.unfinished().exists():
            known |= _compare(base, generation, held[generation.space], found, touched, deep=deep)
    for space, keys in held.items():
        orphans = {key: owner for key, (_, owner) in keys.items() if key not in known and owner not in found.busy}
        if orphans:
            found.orphans[space] = list(orphans)
            touched.update(orphans.values())
    found.records = sum(map(len, held.values()))
    found.places = _places(base, touched)
    return found


def _held(base: KnowledgeBase, space: str) -> dict[str, tuple[str, str]]:
    return {key: (document, version) for key, document, version in wiring.store().keys(space=space, scope=base.scope)}


def _beside(base: KnowledgeBase, kept: Iterable[IndexGeneration]) -> list[IndexGeneration]:
    """Return the generations that are not live: what they hold beyond whole versions is for their own work to judge."""
    return [row for row in kept if row.pk != base.live_generation_id]


def _compare(
    base: KnowledgeBase, generation: IndexGeneration, held: dict[str, tuple[str, str]], found: Records,
    touched: Counter[str], *, deep: bool,
) -> set[str]:  # fmt: skip
    """Compare one generation and return the keys that its rows of searched versions ask for."""
    pk, live = str(generation.pk), generation.pk == base.live_generation_id
    rows = _rows(generation, live=live)
    found.rows += len(rows) if live else 0
    settled = {key: names for key, names in rows.items() if names[1] not in found.busy}
    missing, wrong = _keys(base, generation, settled, held)
    bare = [version for version in _incomplete(generation, live=live) if version not in found.busy]
    if deep:
        wrong |= _misread(base, generation, {key: names for key, names in settled.items() if key not in wrong})
    versions = [*(rows[key][1] for key in (*missing, *wrong)), *bare]
    found.missing += [*missing, *bare]
    found.wrong += sorted(wrong)
    found.again |= {(version, pk) for version in versions}
    touched.update(versions)
    if live:
        found.spare += _spare(generation, found.busy)
    return set(rows)


def _rows(generation: IndexGeneration, *, live: bool) -> dict[str, tuple[str, str]]:
    """Return ``(document, version)`` of each chunk row of a version that is searched, or would be."""
    searched = generations.searchable(generation.knowledge_base_id)
    rows = Chunk.objects.filter(generation=generation, version__in=searched)
    if not live:
        rows = rows.filter(version__in=generation.entries.values("version"))
    return {str(pk): (str(doc), str(ver)) for pk, doc, ver in rows.values_list("pk", "version__document", "version")}


def _keys(
    base: KnowledgeBase, generation: IndexGeneration, rows: dict[str, tuple[str, str]], held: dict[str, tuple[str, str]]
) -> tuple[list[str], set[str]]:
    """Return the rows without a record, and those whose record names another document, version or generation."""
    store, space, scope = wiring.store(), generation.space, base.scope
    absent = [key for key in rows if key not in held]
    later = {hit.key for hit in store.fetch(absent, space=space, scope=scope)}  # written since
    misnamed = {key for key, names in rows.items() if key in held and held[key] != names}
    if store.count(space=space, scope=scope, generation=str(generation.pk)) < len(rows) - len(absent) + len(later):
        own = {key for key, _, _ in store.keys(space=space, scope=scope, generation=str(generation.pk))}
        misnamed |= {key for key in rows if key in held and key not in own}
    return [key for key in absent if key not in later], misnamed


def _incomplete(generation: IndexGeneration, *, live: bool) -> list[str]:
    """Return the versions whose rows are not as many as their entry says; of the live generation those without one."""
    own = Count("version__chunks", filter=Q(version__chunks__generation=generation))
    entries = IndexEntry.objects.filter(
        generation=generation, version__in=generations.searchable(generation.knowledge_base_id)
    )
    counted = entries.annotate(own=own).values_list("version", "chunks", "own")
    bare = [str(version) for version, chunks, rows in counted if chunks != rows]
    missing = generations.missing(generation).filter(chunk_count__gt=0) if live else DocumentVersion.objects.none()
    return bare + [str(pk) for pk in missing.values_list("pk", flat=True)]


def _misread(base: KnowledgeBase, generation: IndexGeneration, rows: dict[str, tuple[str, str]]) -> set[str]:
    """Read every record; return those with another text than the document's, and of versions with other words."""
    by_version: dict[str, list[str]] = defaultdict(list)
    for key, (_, version) in rows.items():
        by_version[version].append(key)
    wrong: set[str] = set()
    for row in _versions(by_version):
        keys = by_version[str(row.pk)]
        hits = [
            hit
            for part in batches(keys, PART)
            for hit in wiring.store().fetch(part, space=generation.space, scope=base.scope)
        ]
        wrong |= _other_text(row, generation, hits)
        counts = statistics.recall(row, generation)
        if counts is not None and len(hits) == counts.chunks and stages.count_terms([h.terms for h in hits]) != counts:
            wrong |= set(keys)
    return wrong


def still_orphans(space: str, scope: Scope, keys: list[str], *, judged: Collection[str]) -> list[str]:
    """Return the keys without those whose record is of a generation that was begun after the rows were read."""
    owners = {
        record.key: record.generation
        for part in batches(keys, PART)
        for record in wiring.store().records(space=space, scope=scope, keys=part)
    }
    unknown = set(owners.values()) - set(judged)
    begun = {
        str(pk)
        for pk in IndexGeneration.objects.filter(pk__in=unknown)
        .exclude(state=IndexGeneration.State.COLLECTING)
        .values_list("pk", flat=True)
    }
    return [key for key in keys if owners.get(key) not in begun]


def _other_text(version: DocumentVersion, generation: IndexGeneration, hits: list[Hit]) -> set[str]:
    try:
        text = selectors.version_text(version)
    except (FileNotFoundError, UnicodeDecodeError):
        return set()  # told with the files
    ranges = Chunk.objects.filter(version=version, generation=generation).values_list("pk", "start", "end")
    right = {str(pk): text[start:end] for pk, start, end in ranges}
    return {hit.key for hit in hits if hit.key in right and hit.text != right[hit.key]}


def _versions(pks: Collection[str]) -> Iterator[DocumentVersion]:
    for part in batches(list(pks), PART):
        yield from DocumentVersion.objects.filter(pk__in=part).select_related("document")


def _spare(generation: IndexGeneration, busy: Collection[str]) -> list[str]:
    """Return the rows of versions that are not searched and that no job is at."""
    searched = generations.searchable(generation.knowledge_base_id)
    rows = Chunk.objects.filter(generation=generation).exclude(version__in=searched)
    rows = rows.exclude(version__document__status="deleting")  # which its own job removes
    return [str(pk) for pk, version in rows.values_list("pk", "version") if str(version) not in busy]


def _versions_in_work(base: KnowledgeBase) -> list[object]:
    return list(
        DocumentVersion.objects.filter(
            document__knowledge_base=base, jobs__state__in=["queued", "running"]
        ).values_list("pk", flat=True)
    )


def _places(base: KnowledgeBase, counts: Counter[str]) -> Counter[str]:
    """Say in words, for each version, which document it is of and how the rows call it."""
    rows = {str(row.pk): row for row in _versions(counts)}
    named: Counter[str] = Counter()
    for pk, count in counts.items():
        row = rows.get(pk)
        told = f"{row.document}, version {row.number} ({row.state}, {row.document.status})" if row else f"version {pk}"
        named[f"{base.name}: {told}"] = count
    return named
