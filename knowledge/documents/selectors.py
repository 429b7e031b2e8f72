"""Reads: texts, layouts, and the live rows and statistics that retrieval joins against."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection
from django.db.models import F
from django.db.models.functions import Length

from knowledge.documents import files
from knowledge.documents.models import Chunk, Document, DocumentVersion, IndexGeneration, IngestionJob, TermStatistic
from knowledge.parsing.formats import SLIDES
from knowledge.parsing.serial import from_json
from knowledge.retrieval.base import CorpusStatistics, PassageRow
from knowledge.types import Block, CharBoxes, Page, ParsedDocument, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedLayout:
    blocks: tuple[Block, ...]
    pages: tuple[Page, ...]


def version_text(version: DocumentVersion) -> str:
    """Return the canonical text of a version, exactly as all offsets count it."""
    return files.read(version, files.TEXT).decode("utf-8")


def version_layout(version: DocumentVersion) -> ParsedLayout:
    parsed = from_json(files.read_json(version, files.LAYOUT), text=version_text(version))
    return ParsedLayout(blocks=parsed.blocks, pages=parsed.pages)


def version_parsed(version: DocumentVersion) -> ParsedDocument:
    """Return the version as its parser left it, from the stored files: nothing is parsed again."""
    data = files.read_json(version, files.LAYOUT)
    return from_json(data, text=version_text(version), boxes=version_boxes(version))


def version_boxes(version: DocumentVersion) -> CharBoxes | None:
    """Return the character boxes of a version, or None when its format has none."""
    from knowledge.parsing.boxes import decode_boxes

    if not files.exists(version, files.BOXES):
        return None
    return decode_boxes(files.read(version, files.BOXES))


def versions_of(document: Document) -> list[DocumentVersion]:
    """Return the readable versions, newest first."""
    return list(document.versions.exclude(text_sha256="").order_by("-number"))


def live_chunks(version: DocumentVersion, start: int, end: int) -> list[Chunk]:
    """Return the chunks of a version's live index that touch a range of its text, in order."""
    rows = Chunk.objects.filter(version=version, generation=version.document.knowledge_base.live_generation_id)
    return list(rows.filter(start__lt=end, end__gt=start).order_by("ordinal"))


def failure_of(version: DocumentVersion) -> str:
    """Return in words why the last attempt at a version failed; empty when it did not."""
    if version.number == version.document.latest_number:
        return version.document.error
    if version.state != DocumentVersion.State.FAILED:
        return ""
    job = version.jobs.filter(state=IngestionJob.State.FAILED).order_by("created").last()
    return job.last_error if job else ""


def slide_versions(versions: Collection[tuple[str, int]]) -> frozenset[tuple[str, int]]:
    """Return those of the versions, ``(document, number)``, whose pages are slides."""
    rows = DocumentVersion.objects.filter(document_id__in={document for document, _ in versions})
    found = rows.filter(media_type__in=SLIDES).values_list("document_id", "number")
    return frozenset((str(document), number) for document, number in found) & frozenset(versions)


def media_types(versions: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Return the media type of each of the versions, ``(document, number)``, that is there."""
    rows = DocumentVersion.objects.filter(document_id__in={document for document, _ in versions})
    found = rows.values_list("document_id", "number", "media_type")
    return {(str(document), number): media for document, number, media in found if (str(document), number) in versions}


class TextCache:
    """Canonical texts of versions by id, bounded by characters. Versions never change.

    A version that was deleted a moment ago has the empty text: no passage lies in it.
    """

    def __init__(self, *, budget: int = 20_000_000) -> None:
        self._budget = budget
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, version_id: str) -> str:
        with self._lock:
            if version_id in self._texts:
                self._texts.move_to_end(version_id)
                return self._texts[version_id]
        try:
            text = version_text(DocumentVersion.objects.select_related("document").get(pk=version_id))
        except (DocumentVersion.DoesNotExist, FileNotFoundError):
            return ""
        with self._lock:
            self._texts[version_id] = text
            while len(self._texts) > 1 and sum(map(len, self._texts.values())) > self._budget:
                self._texts.popitem(last=False)
        return text


text_of_version = TextCache()


_ROW = (
    "pk",
    "version__document_id",
    "version_id",
    "version__number",
    "generation_id",
    "ordinal",
    "version__document__knowledge_base_id",
    "version__document__title",
    "heading_path",
    "page_first",
    "page_last",
    "start",
    "end",
    "tokens",
    "version__created",
)


class LiveRows:
    """Joins keys from a store against what is live in the database right now."""

    def passages(self, keys: Collection[str], *, scope: Scope) -> dict[str, PassageRow]:
        """Return the rows of the keys that are live and in scope; every other key is left out."""
        if scope.is_empty or not keys:
            return {}
        rows = Chunk.objects.filter(
            pk__in=list(keys),
            version__document__tenant_id=scope.tenant,
            version__document__knowledge_base_id__in=list(scope.knowledge_bases),
            version__document__knowledge_base__deleting=False,
            version__document__current_version=F("version"),
            generation=F("version__document__knowledge_base__live_generation"),
        ).exclude(version__document__status=Document.Status.DELETING)
        found = (_passage_row(row) for row in rows.values_list(*_ROW))
        # Here and not in the query: a filter may leave more documents than a statement takes parameters.
        return {row.key: row for row in found if scope.documents is None or row.document in scope.documents}


def _passage_row(row: tuple) -> PassageRow:  # type: ignore[type-arg]
    return PassageRow(
        key=str(row[0]),
        document=str(row[1]),
        version_id=str(row[2]),
        version=row[3],
        generation=str(row[4]),
        ordinal=row[5],
        knowledge_base=str(row[6]),
        title=row[7],
        heading_path=tuple(row[8]),
        page_first=row[9],
        page_last=row[10],
        start=row[11],
        end=row[12],
        tokens=row[13],
        written=row[14],
    )


def live_generations(scope: Scope) -> list[tuple[str, list[str]]]:
    """Return the live generations of the scope's knowledge bases, by space."""
    spaces: dict[str, list[str]] = {}
    if scope.is_empty:
        return []
    rows = IndexGeneration.objects.filter(
        knowledge_base__tenant_id=scope.tenant,
        knowledge_base_id__in=list(scope.knowledge_bases),
        knowledge_base__live_generation=F("pk"),
    )
    for pk, space in rows.values_list("pk", "space"):
        spaces.setdefault(space, []).append(str(pk))
    return list(spaces.items())


def live_languages(scope: Scope) -> set[str]:
    """Return the languages in which documents of the scope's live generations were analysed."""
    if scope.is_empty:
        return set()
    rows = IndexGeneration.objects.filter(
        knowledge_base__tenant_id=scope.tenant,
        knowledge_base_id__in=list(scope.knowledge_bases),
        knowledge_base__live_generation=F("pk"),
    )
    return {language for spoken in rows.values_list("languages", flat=True) for language in spoken}


NEAR_TERMS = 20_000
"""Terms of the same first letter and about the same length that are compared with a misspelt word, most used first."""


def near_terms(letter: str, least: int, most: int, scope: Scope) -> dict[str, int]:
    """Return index terms that begin with a letter and are so long, with in how many live chunks each is."""
    if scope.is_empty:
        return {}
    generations = IndexGeneration.objects.filter(
        knowledge_base__tenant_id=scope.tenant,
        knowledge_base_id__in=list(scope.knowledge_bases),
        knowledge_base__live_generation=F("pk"),
    )
    rows = TermStatistic.objects.alias(length=Length("term")).filter(
        generation__in=list(generations.values_list("pk", flat=True)), term__gte=letter, term__startswith=letter,
        length__gte=least, length__lte=most, frequency__gt=0,
    )  # fmt: skip
    if connection.vendor == "sqlite":  # its LIKE uses no index; other databases may order letters in another way
        rows = rows.filter(term__lt=chr(ord(letter[0]) + 1))
    found: dict[str, int] = {}
    for term, count in rows.order_by("-frequency", "term").values_list("term", "frequency")[:NEAR_TERMS]:
        found[term] = found.get(term, 0) + count
    return found


class Statistics:
    """Exact corpus statistics of the live generations in a scope."""

    def for_terms(self, terms: Collection[str], *, scope: Scope) -> CorpusStatistics:
        if scope.is_empty:
            return CorpusStatistics(chunks=0, average_length=0.0, document_frequency={})
        generations = list(
            IndexGeneration.objects.filter(
                knowledge_base__tenant_id=scope.tenant,
                knowledge_base_id__in=list(scope.knowledge_bases),
                knowledge_base__live_generation=F("pk"),
            ).values_list("pk", "chunks", "terms")
        )
        chunks = sum(row[1] for row in generations)
        length = sum(row[2] for row in generations)
        frequency: dict[str, int] = {}
        rows = TermStatistic.objects.filter(generation__in=[row[0] for row in generations], term__in=list(terms)[:500])
        for term, count in rows.values_list("term", "frequency"):
            frequency[term] = frequency.get(term, 0) + count
        return CorpusStatistics(
            chunks=chunks, average_length=length / chunks if chunks else 0.0, document_frequency=frequency
        )
