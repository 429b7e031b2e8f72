"""Chunks along the structure of a document: sections, paragraphs, whole tables and lists."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from knowledge.chunking.base import TokenCounter, search_text
from knowledge.chunking.cutting import even_parts
from knowledge.chunking.units import Section, Unit, sections
from knowledge.errors import DocumentTooLarge
from knowledge.types import BlockKind, ChunkRange, ParsedDocument

_GROUPED = (BlockKind.LIST_ITEM, BlockKind.TABLE_ROW)
_COUNT_BATCH = 512
_SHORTEST = 40  # characters below which the token limit gives up; only a prefix can be at fault then


@dataclass(frozen=True, slots=True)
class _Range:
    start: int
    end: int
    path: tuple[str, ...]
    page_first: int | None
    page_last: int | None


class StructuralChunker:
    """Packs whole paragraphs up to ``target`` characters and starts anew at each heading."""

    name: ClassVar[str] = "structural"
    version: ClassVar[str] = "1"

    def __init__(
        self, *, target: int = 900, limit: int = 1125, small: int = 200, max_tokens: int = 254, max_chunks: int = 50_000
    ) -> None:
        """Sizes in characters; ``max_tokens`` is held for title, headings and text together."""
        self._target, self._limit, self._small = target, limit, small
        self._max_tokens, self._max_chunks = max_tokens, max_chunks

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges.

        :raises DocumentTooLarge: there are more chunks than a document may have.
        """
        ranges: list[_Range] = []
        for section in sections(document):
            ranges += self._section(document.text, section)
            self._check(len(ranges))
        sized = self._within_tokens(document.text, ranges, title, count_tokens)
        self._check(len(sized))
        page_starts = [page.start for page in document.pages]
        return [
            ChunkRange(
                ordinal=ordinal,
                start=r.start,
                end=r.end,
                heading_path=r.path,
                page_first=bisect_right(page_starts, r.start) or None if page_starts else r.page_first,
                page_last=bisect_right(page_starts, r.end - 1) or None if page_starts else r.page_last,
                tokens=tokens,
            )
            for ordinal, (r, tokens) in enumerate(sized)
        ]

    def _check(self, count: int) -> None:
        if count > self._max_chunks:
            raise DocumentTooLarge(f"The document makes more than {self._max_chunks:,} passages.")

    def _section(self, text: str, section: Section) -> list[_Range]:
        packed = self._pack(list(self._atoms(text, section)))
        return [
            _Range(start, end, section.path, section.units[0].page_first, section.units[-1].page_last)
            for start, end in packed
            if any(c.isalnum() for c in text[start:end]) or not _is_filler(section, start, end)
        ]

    def _pack(self, atoms: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Join neighbours up to the target; what is small may grow up to the limit."""
        packed: list[tuple[int, int]] = []
        for start, end in atoms:
            if packed:
                first, last = packed[-1]
                room = self._limit if last - first < self._small else self._target
                if end - first <= room:
                    packed[-1] = (first, end)
                    continue
            packed.append((start, end))
        if len(packed) > 1:
            (first, _), (start, end) = packed[-2:]
            if end - start < self._small and end - first <= self._limit:
                packed[-2:] = [(first, end)]
        return packed

    def _atoms(self, text: str, section: Section) -> Iterator[tuple[int, int]]:
        """Ranges that are not cut further: the headings with what follows them, lists, rows, parts."""
        units = section.units
        opening = units[0].start
        glue = 0 < section.headings < len(units)
        if glue and units[section.headings].start - opening > self._limit // 2:
            glue = False  # headings as long as paragraphs
        body = units[section.headings :] if glue else units
        for kind, group in groupby(body, key=lambda unit: unit.kind):
            members = list(group)
            start = opening if glue else members[0].start
            if kind in _GROUPED and members[-1].end - start <= self._limit:
                yield start, members[-1].end
                glue = False
                continue
            for unit in members:
                yield from self._unit(text, unit, opening if glue else unit.start)
                glue = False

    def _unit(self, text: str, unit: Unit, start: int) -> Iterator[tuple[int, int]]:
        """One unit, from ``start`` on if headings are glued before it."""
        if unit.end - start <= self._limit:
            yield start, unit.end
            return
        room = self._limit - (unit.start - start)
        for first, last in even_parts(text, unit.start, unit.end, target=min(self._target, room), limit=room):
            yield (start if first == unit.start else first), last

    def _within_tokens(
        self, text: str, ranges: Sequence[_Range], title: str, count_tokens: TokenCounter
    ) -> list[tuple[_Range, int]]:
        """Cut ranges until each has few enough tokens; return them with the tokens of their own text."""
        paths = list({r.path for r in ranges})
        empty = [search_text(title=title, heading_path=path, text="") for path in paths]
        prefixes = dict(zip(paths, _count(empty, count_tokens), strict=True))
        done: list[tuple[_Range, int]] = []
        pending = list(ranges)
        while pending:
            texts = [search_text(title=title, heading_path=r.path, text=text[r.start : r.end]) for r in pending]
            counts = _count(texts, count_tokens)
            again: list[_Range] = []
            for r, count in zip(pending, counts, strict=True):
                own = max(1, count - prefixes[r.path])
                if count <= self._max_tokens or r.end - r.start <= _SHORTEST:
                    done.append((r, own))
                else:
                    again += self._halve(text, r, own, prefixes[r.path])
            self._check(len(done) + len(again))
            pending = again
        return sorted(done, key=lambda pair: pair[0].start)

    def _halve(self, text: str, r: _Range, tokens: int, prefix: int) -> list[_Range]:
        """Cut a range into parts that should keep the token limit, two at least."""
        budget = max(self._max_tokens - prefix, self._max_tokens // 4)
        length = r.end - r.start
        target = max(_SHORTEST // 2, min(length // 2 + 1, int(length * budget / tokens * 0.9)))
        parts = even_parts(text, r.start, r.end, target=target, limit=target + target // 8 + 1)
        return [_Range(first, last, r.path, r.page_first, r.page_last) for first, last in parts]


def _is_filler(section: Section, start: int, end: int) -> bool:
    """Whether a range holds nothing but rules and other markup between blocks."""
    return all(unit.filler for unit in section.units if unit.start < end and unit.end > start)


def _count(texts: Sequence[str], count_tokens: TokenCounter) -> list[int]:
    counts: list[int] = []
    for first in range(0, len(texts), _COUNT_BATCH):
        counts += count_tokens(texts[first : first + _COUNT_BATCH])
    return counts
