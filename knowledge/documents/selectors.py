"""Reads: texts, layouts and facts of versions."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from knowledge.documents import files
from knowledge.documents.models import Chunk, Document, DocumentVersion, IngestionJob
from knowledge.parsing.serial import from_json
from knowledge.types import Block, CharBoxes, Page, ParsedDocument


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


def media_types(versions: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Return the media type of each of the versions, ``(document, number)``, that is there."""
    rows = DocumentVersion.objects.filter(document_id__in={document for document, _ in versions})
    found = rows.values_list("document_id", "number", "media_type")
    return {(str(document), number): media for document, number, media in found if (str(document), number) in versions}


class TextCache:
    """Canonical texts of versions by id, bounded by characters. Versions never change.

    A version that was deleted a moment ago has the empty text: no passage lies in it. What nobody asked for in
    ``seconds`` is dropped when something else is asked for, so that deleted texts do not stay.
    """

    def __init__(self, *, budget: int = 20_000_000, seconds: float = 600) -> None:
        self._budget, self._seconds = budget, seconds
        self._texts: OrderedDict[str, tuple[str, float]] = OrderedDict()  # with when it was last asked for
        self._lock = threading.Lock()

    def holds(self, version_ids: Collection[str]) -> int:
        """Return how many of the versions this process holds the text of."""
        with self._lock:
            return sum(pk in self._texts for pk in version_ids)

    def forget(self, version_ids: Collection[str]) -> None:
        """Drop the texts of versions that were deleted."""
        with self._lock:
            for pk in version_ids:
                self._texts.pop(pk, None)

    def __call__(self, version_id: str) -> str:
        with self._lock:
            known = self._texts.get(version_id)
            if known is not None:
                self._keep(version_id, known[0])
                return known[0]
        try:
            text = version_text(DocumentVersion.objects.select_related("document").get(pk=version_id))
        except (DocumentVersion.DoesNotExist, FileNotFoundError):
            return ""
        with self._lock:
            self._keep(version_id, text)
        return text

    def _keep(self, version_id: str, text: str) -> None:
        """Put a text behind all others, and drop from the front what is too old or too much."""
        now = time.monotonic()
        self._texts[version_id] = (text, now)
        self._texts.move_to_end(version_id)
        while len(self._texts) > 1:
            oldest = next(iter(self._texts.values()))
            if oldest[1] > now - self._seconds and self._size() <= self._budget:
                return
            self._texts.popitem(last=False)

    def _size(self) -> int:
        return sum(len(text) for text, _ in self._texts.values())


text_of_version = TextCache()
