"""From canonical text and blocks to what a page shows, with one range marked.

All cutting happens here, on code points; a browser counts UTF-16 units and would miss the range.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from chatapp.reader.inline import Range, Span, inline
from chatapp.reader.link_targets import defined_links
from chatapp.reader.markdown import tidy
from chatapp.reader.pieces import Marker, Pieces
from knowledge.types import Block, BlockKind

WINDOW_UNITS = 400
WINDOW_CHARACTERS = 150_000
UNITS_BEFORE_MATCH = 60
LONG_UNIT = 6_000
OUTLINE_ENTRIES = 500
_HEADINGS = frozenset({BlockKind.TITLE, BlockKind.HEADING})
_ASIDES = frozenset({BlockKind.CAPTION, BlockKind.FOOTNOTE, BlockKind.FURNITURE, BlockKind.NOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing the template draws. ``start`` names it in the page."""

    kind: str  # page, heading, paragraph, aside, code, list, table
    start: int
    level: int = 2  # of a heading element
    page: int | None = None
    pieces: Pieces = ()
    rows: tuple[tuple[Pieces, ...], ...] = ()  # of a table, or of a list with one cell each
    bullets: tuple[bool, ...] = ()  # of a list: whether the page draws a bullet

    @property
    def entries(self) -> list[tuple[Pieces, bool]]:
        """Return the list entries with their bullets."""
        return [(row[0], bullet) for row, bullet in zip(self.rows, self.bullets, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineEntry:
    text: str
    start: int
    level: int
    shown: bool  # inside the window


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPage:
    """A window of a document."""

    items: tuple[Item, ...]
    outline: tuple[OutlineEntry, ...]
    quote: str  # the marked range, exactly
    previous: int | None  # offset at which the window before this one starts
    following: int | None


@dataclass(frozen=True, slots=True)
class _Unit:
    """A block, or a part of a very long one."""

    block: Block
    start: int
    end: int


def checked_range(start: object, end: object, *, length: int) -> Range | None:
    """Return the range if both ends are numbers and it lies inside the text, else None."""
    try:
        low, high = int(str(start)), int(str(end))
    except ValueError:
        return None
    return (low, high) if 0 <= low < high <= length else None


def present(
    text: str, blocks: Sequence[Block], *, match: Range | None, begin: int | None = None, markdown: bool = False
) -> ReaderPage:
    """Lay out the window around the match, or from the offset ``begin`` on.

    ``markdown``: the text is Markdown source, whose marks (``#``, ``-``, fences, ``**``, links) are not shown.
    """
    units = _units(text, blocks)
    first, last = _window(units, match=match, begin=begin)
    shown = units[first:last]
    marker = Marker(text, *(match or (0, 0)), defined_links(text) if markdown else None)
    borders = (shown[0].start, shown[-1].end) if shown else (0, 0)
    return ReaderPage(
        items=tuple(_items(shown, marker)),
        outline=_outline(marker, blocks, borders),
        quote=text[match[0] : match[1]] if match else "",
        previous=units[max(0, first - WINDOW_UNITS)].start if first > 0 else None,
        following=units[last].start if last < len(units) else None,
    )


def _units(text: str, blocks: Sequence[Block]) -> list[_Unit]:
    """Split blocks no page could hold; a text without line ends is one block of many megabytes."""
    units: list[_Unit] = []
    for block in blocks:
        start = block.start
        while block.end - start > LONG_UNIT:
            space = text.rfind(" ", start + LONG_UNIT // 2, start + LONG_UNIT)
            cut = space + 1 if space > 0 else start + LONG_UNIT
            units.append(_Unit(block, start, cut))
            start = cut
        if start < block.end:
            units.append(_Unit(block, start, block.end))
    return units


def _window(units: Sequence[_Unit], *, match: Range | None, begin: int | None) -> Range:
    """Return the first unit and the one after the last."""
    first = 0
    if begin is not None:
        first = _unit_at(units, begin)
    elif match:
        first = _lead_in(units, _unit_at(units, match[0]))
    last, characters = first, 0
    while last < len(units) and last - first < WINDOW_UNITS and characters < WINDOW_CHARACTERS:
        characters += units[last].end - units[last].start
        last += 1
    return first, last


def _lead_in(units: Sequence[_Unit], at: int) -> int:
    """Return where to begin so that some of the text before a unit is shown, and surely the unit too."""
    first, characters = at, 0
    while first > 0 and at - first < UNITS_BEFORE_MATCH and characters < WINDOW_CHARACTERS // 4:
        first -= 1
        characters += units[first].end - units[first].start
    return first


def _unit_at(units: Sequence[_Unit], offset: int) -> int:
    """Return the unit that holds the offset, or the one before the gap it lies in."""
    return max(0, bisect_right(units, offset, key=lambda unit: unit.start) - 1)


def _items(units: Iterable[_Unit], marker: Marker) -> Iterable[Item]:
    page: int | None = None
    for (number, kind), group in groupby(units, key=lambda unit: (unit.block.page_first, _kind(unit.block))):
        if number is not None and number != page:
            page = number
            yield Item(kind="page", start=-number, page=number)
        if kind == "list":
            yield _list(list(group), marker)
        elif kind == "table":
            yield _table(list(group), marker)
        else:
            for unit in group:
                yield _single(unit, kind, marker)


def _kind(block: Block) -> str:
    if block.kind in _HEADINGS:
        return "heading"
    if block.kind in _ASIDES:
        return "aside"
    names = {BlockKind.LIST_ITEM: "list", BlockKind.TABLE_ROW: "table", BlockKind.CODE: "code"}
    return names.get(block.kind, "paragraph")


def _single(unit: _Unit, kind: str, marker: Marker) -> Item:
    level = min((unit.block.level or 1) + 1, 6)
    return Item(kind=kind, start=unit.start, level=level, pieces=_pieces(unit, marker))


def _pieces(unit: _Unit, marker: Marker) -> Pieces:
    part = _words(marker, (unit.start, unit.end), unit.block.kind)
    (shown,) = marker.shown((unit.start, unit.end), [part])
    return marker.cut(shown)


def _words(marker: Marker, raw: Range, kind: BlockKind) -> list[Span]:
    """Return what is shown of a block: all of it, or Markdown without its marks."""
    if marker.links is None or kind is BlockKind.FURNITURE:
        return [Span(start=raw[0], end=raw[1])]
    start, end = tidy(marker.text, raw, kind)
    return (
        [Span(start=start, end=end)] if kind is BlockKind.CODE else inline(marker.text, start, end, links=marker.links)
    )


def _list(units: Sequence[_Unit], marker: Marker) -> Item:
    rows, bullets = [], []
    for unit in units:
        raw = (unit.start, unit.end)
        first = marker.text[raw[0] if marker.links is None else tidy(marker.text, raw, unit.block.kind)[0]]
        rows.append((_pieces(unit, marker),))
        # A number or a bullet that stands in the text is not drawn a second time.
        bullets.append(first.isalpha() or first in "\"'([`*_")
    return Item(kind="list", start=units[0].start, rows=tuple(rows), bullets=tuple(bullets))


def _table(units: Sequence[_Unit], marker: Marker) -> Item:
    rows = []
    for unit in units:
        raw = (unit.start, unit.end)
        if marker.links is None:
            cells = [[Span(start=start, end=end)] for start, end in _cells(marker.text, unit)]
        else:
            cells = [inline(marker.text, *cell, links=marker.links) for cell in _markdown_cells(marker.text, raw)]
        rows.append(tuple(marker.cut(cell) for cell in marker.shown(raw, cells)))
    return Item(kind="table", start=units[0].start, rows=tuple(rows))


def _cells(text: str, unit: _Unit) -> list[Range]:
    """Return one range for each cell: its value with the header before it, without the separator."""
    cells: list[Range] = []
    position = unit.start
    for _, end in unit.block.attrs.get("cells", ()):
        if not position < end <= unit.end:
            continue
        lead = len(text[position:end]) - len(text[position:end].lstrip("; \t|\n"))
        cells.append((position + lead, end))
        position = end
    if cells and text[position : unit.end].strip("; \t|\n"):
        cells.append((position, unit.end))
    return cells


def _markdown_cells(text: str, row: Range) -> list[Range]:
    """Return the cells between the bars of the row's first line; a second line only holds dashes."""
    start, end = row
    line_end = text.find("\n", start, end)
    end = end if line_end < 0 else line_end
    cells: list[Range] = []
    position = start
    for index in range(start, end + 1):
        if index < end and (text[index] != "|" or text[index - 1 : index] == "\\"):
            continue
        raw = text[position:index]
        low = position + len(raw) - len(raw.lstrip())
        high = index - (len(raw) - len(raw.rstrip()))
        if low < high or position > start:
            cells.append((low, max(low, high)))
        position = index + 1
    if cells and cells[-1][0] == cells[-1][1]:
        cells.pop()  # the closing bar
    return cells


def _outline(marker: Marker, blocks: Sequence[Block], borders: Range) -> tuple[OutlineEntry, ...]:
    entries: list[OutlineEntry] = []
    for block in blocks:
        if block.kind not in _HEADINGS:
            continue
        if len(entries) == OUTLINE_ENTRIES:
            break
        words = _words(marker, (block.start, min(block.end, block.start + LONG_UNIT)), block.kind)
        shown = borders[0] <= block.start < borders[1]
        name = " ".join("".join(marker.text[span.start : span.end] for span in words)[:120].split())
        entries.append(OutlineEntry(text=name, start=block.start, level=min(block.level or 1, 6), shown=shown))
    return tuple(entries)
