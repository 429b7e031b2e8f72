"""Chunks along the structure of a document: sections, paragraphs, whole tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from knowledge.chunking.base import TokenCounter
from knowledge.chunking.cutting import even_parts
from knowledge.chunking.headers import contexts
from knowledge.chunking.pieces import MAX_CHUNKS, MAX_TOKENS, Limits, Piece, finish
from knowledge.chunking.units import Section, Unit, sections
from knowledge.types import BlockKind, ChunkRange, ParsedDocument

_GROUPED = (BlockKind.LIST_ITEM, BlockKind.TABLE_ROW)

_COUNTED = 20_000
"""Characters of a section whose word pieces tell how long those of all are."""


class StructuralChunker:
    """Packs whole paragraphs up to a target and starts anew at each heading."""

    name: ClassVar[str] = "structural"
    version: ClassVar[str] = "2"

    def __init__(
        self, *, target: int = 900, limit: int = 0, small: int = 0, tokens: int = 0, overlap: int = 0,
        header: bool = True, table_header: bool = True, max_tokens: int = MAX_TOKENS, max_chunks: int = MAX_CHUNKS,
    ) -> None:  # fmt: skip
        """Sizes in characters; ``limit`` is a quarter more than the target unless given, ``small`` two ninths of it.

        ``tokens``: the target in word pieces in place of characters, for each section by what its own text has.
        ``header``: title and headings are searched with each chunk; ``table_header``: so is the header of the
        table it begins in. ``overlap`` characters of a chunk lie in the one before, within a section.
        """
        self._sizes = _Sizes(target, limit or target * 5 // 4, small or target * 2 // 9)
        self._tokens, self._overlap, self._header, self._table_header = tokens, overlap, header, table_header
        self._limits = Limits(max_tokens=max_tokens, max_chunks=max_chunks)

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges.

        :raises DocumentTooLarge: there are more chunks than a document may have.
        """
        pieces: list[Piece] = []
        for run, section in enumerate(sections(document)):
            sizes = self._sizes_for(section, document.text, count_tokens) if self._tokens else self._sizes
            pieces += _section(document.text, section, run, sizes)
            self._limits.check(len(pieces))
        return finish(
            document, pieces, title=title, count_tokens=count_tokens, limits=self._limits, overlap=self._overlap,
            context_of=contexts(document, title=title, header=self._header, table_header=self._table_header),
        )  # fmt: skip

    def _sizes_for(self, section: Section, text: str, count_tokens: TokenCounter) -> _Sizes:
        own = text[section.units[0].start : section.units[-1].end][:_COUNTED]
        [count] = count_tokens([own])
        return self._sizes.scaled_to(max(1, self._tokens * len(own) // max(1, count)))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Characters."""

    target: int
    limit: int
    small: int

    def scaled_to(self, target: int) -> _Sizes:
        return _Sizes(target, target * self.limit // self.target, target * self.small // self.target)


def _section(text: str, section: Section, run: int, sizes: _Sizes) -> list[Piece]:
    first, last = section.units[0].page_first, section.units[-1].page_last
    return [
        Piece(start, end, section.path, run, first, last, tuple(inner))
        for start, end, inner in _pack(_atoms(text, section, sizes), sizes)
        if any(c.isalnum() for c in text[start:end]) or not _is_filler(section, start, end)
    ]


def _pack(atoms: Iterable[tuple[int, int]], sizes: _Sizes) -> list[tuple[int, int, list[int]]]:
    """Join neighbours up to the target; what is small may grow up to the limit. With each range, where its later
    members begin."""
    packed: list[tuple[int, int, list[int]]] = []
    for start, end in atoms:
        if packed:
            first, last, inner = packed[-1]
            room = sizes.limit if last - first < sizes.small else sizes.target
            if end - first <= room:
                packed[-1] = (first, end, [*inner, start])
                continue
        packed.append((start, end, []))
    if len(packed) > 1:
        (first, _, inner), (start, end, more) = packed[-2:]
        if end - start < sizes.small and end - first <= sizes.limit:
            packed[-2:] = [(first, end, [*inner, start, *more])]
    return packed


def _atoms(text: str, section: Section, sizes: _Sizes) -> Iterator[tuple[int, int]]:
    """Ranges that are not cut further: the headings with what follows them, lists, rows, parts."""
    units = section.units
    opening = units[0].start
    glue = 0 < section.headings < len(units)
    if glue and units[section.headings].start - opening > sizes.limit // 2:
        glue = False  # headings as long as paragraphs
    body = units[section.headings :] if glue else units
    for kind, group in groupby(body, key=lambda unit: unit.kind):
        members = list(group)
        start = opening if glue else members[0].start
        if kind in _GROUPED and members[-1].end - start <= sizes.limit:
            yield start, members[-1].end
            glue = False
            continue
        for unit in members:
            yield from _unit(text, unit, opening if glue else unit.start, sizes)
            glue = False


def _unit(text: str, unit: Unit, start: int, sizes: _Sizes) -> Iterator[tuple[int, int]]:
    """One unit, from ``start`` on if headings are glued before it."""
    if unit.end - start <= sizes.limit:
        yield start, unit.end
        return
    room = sizes.limit - (unit.start - start)
    for first, last in even_parts(text, unit.start, unit.end, target=min(sizes.target, room), limit=room):
        yield (start if first == unit.start else first), last


def _is_filler(section: Section, start: int, end: int) -> bool:
    """Whether a range holds nothing but rules and other markup between blocks."""
    return all(unit.filler for unit in section.units if unit.start < end and unit.end > start)
