"""Chunks along the structure of a document: sections, paragraphs, whole tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import ClassVar

from knowledge.chunking.base import TokenCounter
from knowledge.chunking.cutting import even_parts
from knowledge.chunking.headers import contexts
from knowledge.chunking.pieces import MAX_CHUNKS, MAX_TOKENS, Limits, Piece, finish
from knowledge.chunking.units import Section, Unit, sections
from knowledge.types import BlockKind, ChunkRange, ParsedDocument

_GROUPED = (BlockKind.LIST_ITEM, BlockKind.TABLE_ROW)


class StructuralChunker:
    """Packs whole paragraphs up to ``target`` characters and starts anew at each heading."""

    name: ClassVar[str] = "structural"
    version: ClassVar[str] = "2"

    def __init__(
        self, *, target: int = 900, limit: int = 0, small: int = 0, overlap: int = 0, header: bool = True,
        table_header: bool = True, max_tokens: int = MAX_TOKENS, max_chunks: int = MAX_CHUNKS,
    ) -> None:  # fmt: skip
        """Sizes in characters; ``limit`` is a quarter more than the target unless given, ``small`` two ninths of it.

        ``header``: title and headings are searched with each chunk; ``table_header``: so is the header of the
        table it begins in. ``overlap`` characters of a chunk lie in the one before, within a section.
        """
        self._target, self._limit, self._small = target, limit or target * 5 // 4, small or target * 2 // 9
        self._overlap, self._header, self._table_header = overlap, header, table_header
        self._limits = Limits(max_tokens=max_tokens, max_chunks=max_chunks)

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges.

        :raises DocumentTooLarge: there are more chunks than a document may have.
        """
        pieces: list[Piece] = []
        for run, section in enumerate(sections(document)):
            pieces += self._section(document.text, section, run)
            self._limits.check(len(pieces))
        return finish(
            document, pieces, title=title, count_tokens=count_tokens, limits=self._limits, overlap=self._overlap,
            context_of=contexts(document, title=title, header=self._header, table_header=self._table_header),
        )  # fmt: skip

    def _section(self, text: str, section: Section, run: int) -> list[Piece]:
        first, last = section.units[0].page_first, section.units[-1].page_last
        return [
            Piece(start, end, section.path, run, first, last, tuple(inner))
            for start, end, inner in self._pack(self._atoms(text, section))
            if any(c.isalnum() for c in text[start:end]) or not _is_filler(section, start, end)
        ]

    def _pack(self, atoms: Iterable[tuple[int, int]]) -> list[tuple[int, int, list[int]]]:
        """Join neighbours up to the target; what is small may grow up to the limit. With each range, where its later
        members begin."""
        packed: list[tuple[int, int, list[int]]] = []
        for start, end in atoms:
            if packed:
                first, last, inner = packed[-1]
                room = self._limit if last - first < self._small else self._target
                if end - first <= room:
                    packed[-1] = (first, end, [*inner, start])
                    continue
            packed.append((start, end, []))
        if len(packed) > 1:
            (first, _, inner), (start, end, more) = packed[-2:]
            if end - start < self._small and end - first <= self._limit:
                packed[-2:] = [(first, end, [*inner, start, *more])]
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


def _is_filler(section: Section, start: int, end: int) -> bool:
    """Whether a range holds nothing but rules and other markup between blocks."""
    return all(unit.filler for unit in section.units if unit.start < end and unit.end > start)
