"""Compares the files of versions with their rows, and what is derived with the generations it is of."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from knowledge import wiring
from knowledge.documents import files, ingest
from knowledge.documents.access import as_uuid
from knowledge.documents.indexes import indexing, token_files
from knowledge.documents.indexes.comparing import PART, Pair
from knowledge.documents.models import Document, DocumentVersion, IndexEntry, IndexGeneration, KnowledgeBase
from knowledge.embedding.base import has_tokens
from knowledge.errors import KnowledgeError
from knowledge.stores.common import batches
from knowledge.tenants.models import Tenant

__all__ = ["Files", "files_of", "folders_left", "removed", "restored", "told"]

UPLOAD_TIME = timedelta(hours=1)
"""Files younger than this may belong to an upload whose row is not there yet."""

DERIVED = re.compile(r"(?:terms|tokens-[a-z0-9-]+?)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?:json\.gz|bin)")
HALF_WRITTEN = ".new-"


@dataclass(slots=True)
class Files:
    """What was found of one base."""

    derived: list[str] = field(default_factory=list)  # paths of files that should be there
    foreign: list[str] = field(default_factory=list)  # paths of files that should not
    texts: list[DocumentVersion] = field(default_factory=list)  # whose text or layout is missing or another one
    lost: list[str] = field(default_factory=list)  # sentences
    again: set[Pair] = field(default_factory=set)


def files_of(base: KnowledgeBase, *, busy: Collection[str], deep: bool) -> Files:
    """Compare the files of every version that no job is at; with ``deep`` the texts are read too."""
    found, foreign = Files(), set[str]()
    kept = {str(row.pk): row for row in base.generations.all()}
    entries: dict[str, list[IndexEntry]] = defaultdict(list)
    for entry in IndexEntry.objects.filter(generation__in=kept.values()):
        entries[str(entry.version_id)].append(entry)
    tokens = {pk for pk, row in kept.items() if _has_tokens(row)}
    rows = DocumentVersion.objects.filter(document__in=Document.objects.alive().filter(knowledge_base=base))
    for version in rows.select_related("document").iterator(chunk_size=500):
        if str(version.pk) in busy:
            continue
        names = set(files.names_in(version.folder))
        _sources(version, names, found, deep=deep)
        foreign |= _foreign(version, names, kept)
        for entry in entries[str(version.pk)]:
            _derived(version, kept[str(entry.generation_id)], entry, names, tokens, found, deep=deep)
    found.foreign = _unowned(foreign)  # by the rows that are there now: a generation may have been begun meanwhile
    return found


def _has_tokens(generation: IndexGeneration) -> bool:
    try:
        return has_tokens(indexing.embedder_of(generation))
    except KnowledgeError:  # its model is away: what it would make cannot be told
        return False


def _sources(version: DocumentVersion, names: Collection[str], found: Files, *, deep: bool) -> None:
    if files.ORIGINAL not in names:
        found.lost.append(told(version, "has lost its original file"))
    if version.text_sha256:
        there = files.TEXT in names and files.LAYOUT in names
        if not there or (deep and hashlib.sha256(files.read(version, files.TEXT)).hexdigest() != version.text_sha256):
            found.texts.append(version)


def _foreign(version: DocumentVersion, names: Iterable[str], kept: Collection[str]) -> set[str]:
    """Return the paths of files of other generations than these, and of those cut off while they were written."""
    old, found = timezone.now() - UPLOAD_TIME, set[str]()
    for name in names:
        derived = DERIVED.fullmatch(name)
        path = f"{version.folder}/{name}"
        cut_off = name.startswith(HALF_WRITTEN) and (files.written(path) or old) < old
        if cut_off or (derived and derived[1] not in kept):
            found.add(path)
    return found


def _unowned(paths: Iterable[str]) -> list[str]:
    """Return those paths whose generation, if they name one, has no row."""
    named = {path: found[1] for path in paths if (found := DERIVED.fullmatch(path.rpartition("/")[2]))}
    there = {str(pk) for pk in IndexGeneration.objects.filter(pk__in=set(named.values())).values_list("pk", flat=True)}
    return sorted(path for path in paths if named.get(path) not in there)


def _derived(
    version: DocumentVersion, generation: IndexGeneration, entry: IndexEntry, names: Collection[str],
    tokens: Collection[str], found: Files, *, deep: bool,
) -> None:  # fmt: skip
    terms, vectors = f"terms-{generation.pk}.json.gz", token_files.name_of(generation)
    lacking = [] if terms in names else [terms]
    last = entry.chunks - 1
    if str(generation.pk) in tokens and last >= 0:
        whole = vectors in names
        if whole and deep:
            whole = token_files.packed(version, generation, {0, last}).keys() == {0, last}
        lacking += [] if whole else [vectors]
    if lacking:
        found.derived += [f"{version.folder}/{name}" for name in lacking]
        found.again.add((str(version.pk), str(generation.pk)))


def told(version: DocumentVersion, what: str) -> str:
    """Return a sentence for a person: what is wrong with a version, and the next step."""
    return (
        f"{version.document} (version {version.number}, {version.document_id}) {what}: upload it again, or delete it."
    )


def restored(versions: Iterable[DocumentVersion]) -> list[str]:
    """Read the originals of versions again whose text is gone; return in sentences which gave another text."""
    return [sentence for version in versions if (sentence := _restored(version))]


def _restored(version: DocumentVersion) -> str:
    limits = wiring.knowledge_settings().limits
    try:
        parsed = wiring.parser().parse(files.read(version, files.ORIGINAL), filename=version.filename, limits=limits)
    except (KnowledgeError, FileNotFoundError):
        return told(version, "has lost its text, and its original cannot be read")
    if hashlib.sha256(parsed.text.encode()).hexdigest() != version.text_sha256:
        return told(version, "has lost its text, and is read in another way today")
    ingest.keep(version, parsed)
    return ""


def removed(paths: Iterable[str]) -> int:
    """Delete files and return how many; those of a generation that has a row by now stay."""
    return sum(files.delete(path) for path in _unowned(list(paths)))


def folders_left(tenant: Tenant) -> Iterator[str]:
    """Yield the folders of documents and versions without a row, unless somebody wrote there a moment ago."""
    settled = timezone.now() - UPLOAD_TIME
    for folder in _folders_left(str(tenant.pk)):
        written = files.last_written(folder)
        if written is not None and written <= settled:
            yield folder


def _folders_left(root: str) -> Iterator[str]:
    """Yield the folders of documents without a row, and of versions without one. Names that are no ids are not ours."""
    found = [name for name in files.folders(root) if as_uuid(name)]
    for part in batches(found, PART):
        inside = {name: [v for v in files.folders(f"{root}/{name}") if as_uuid(v)] for name in part}
        there = {str(pk) for pk in Document.objects.filter(pk__in=part).values_list("pk", flat=True)}
        versions = DocumentVersion.objects.filter(document__pk__in=part).values_list("pk", flat=True)
        known = {str(pk) for pk in versions}
        for name in part:
            if name not in there:
                yield f"{root}/{name}"
                continue
            yield from (f"{root}/{name}/{version}" for version in inside[name] if version not in known)
