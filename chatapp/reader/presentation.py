"""From canonical text and blocks to what a page shows, with one range marked.

All cutting happens here, on code points; a browser counts UTF-16 units and would miss the range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from chatapp.markup.inline import Range, Span, inline
from chatapp.markup.link_targets import defined_links
from chatapp.reader.markdown import tidy
from chatapp.reader.pieces import Marker, Pieces, marks_of
from chatapp.reader.tables import Grid, Rows, grids
from chatapp.reader.units import LONG_UNIT, WINDOW_UNITS, Unit, units_of, window
from knowledge.types import Block, BlockKind

OUTLINE_ENTRIES = 500
_HEADINGS = frozenset({BlockKind.TITLE, BlockKind.HEADING})
_ASIDES = frozenset({BlockKind.CAPTION, BlockKind.FOOTNOTE, BlockKind.FURNITURE, BlockKind.NOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing the template draws. ``start`` names it in the page."""

    kind: str  # page, heading, paragraph, aside, code, list, table, grid
    start: int
    level: int = 2  # of a heading element
    page: int | None = None
    pieces: Pieces = ()
    rows: Rows = ()  # of a table, or of a list with one cell each
    bullets: tuple[bool, ...] = ()  # of a list: whether the page draws a bullet
    grid: Grid | None = None
    sheet: str = ""  # of a grid: the name of its sheet

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
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet of a spreadsheet: its range of the text, and whether it is the one shown."""

    name: str
    start: int
    end: int
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPage:
    """A window of a document."""

    items: tuple[Item, ...]
    outline: tuple[OutlineEntry, ...]
    quote: str  # the marked range, exactly
    previous: int | None  # offset at which the window before this one starts
    following: int | None
    sheets: tuple[Sheet, ...] = ()


def checked_range(start: object, end: object, *, length: int) -> Range | None:
    """Return the range if both ends are numbers and it lies inside the text, else None."""
    try:
        low, high = int(str(start)), int(str(end))
    except ValueError:
        return None
    return (low, high) if 0 <= low < high <= length else None


def present(
    text: str,
    blocks: Sequence[Block],
    *,
    match: Range | None,
    others: Iterable[Range] = (),
    begin: int | None = None,
    markdown: bool = False,
) -> ReaderPage:
    """Lay out the window around the match, or from the offset ``begin`` on. Of a spreadsheet it holds one sheet.

    ``others``: ranges that are lit faintly. ``markdown``: the text is Markdown source, whose marks (``#``, ``-``,
    fences, ``**``, links) are not shown.
    """
    units = units_of(text, blocks)
    place = begin if begin is not None else match[0] if match else 0
    sheets = _sheets(text, blocks, place)
    for sheet in sheets:
        if sheet.shown:
            units = [unit for unit in units if sheet.start <= unit.start < sheet.end]
    first, last = window(units, match=match, begin=begin)
    shown = units[first:last]
    marker = Marker(text, marks_of(match, others), defined_links(text) if markdown else None)
    borders = (shown[0].start, shown[-1].end) if shown else (0, 0)
    return ReaderPage(
        items=tuple(_items(shown, marker)),
        outline=_outline(marker, blocks, borders),
        quote=text[match[0] : match[1]] if match else "",
        previous=units[max(0, first - WINDOW_UNITS)].start if first > 0 else None,
        following=units[last].start if last < len(units) else None,
        sheets=sheets,
    )


def _sheets(text: str, blocks: Sequence[Block], place: int) -> tuple[Sheet, ...]:
    """Return the sheets in order; a sheet begins with the heading that names it, else with its first block."""
    begun: list[tuple[str, int]] = []
    before: Block | None = None
    for block in blocks:
        name = block.attrs.get("sheet")
        if isinstance(name, str) and name and (not begun or begun[-1][0] != name):
            titled = before is not None and before.kind in _HEADINGS and text[before.start : before.end] == name
            begun.append((name, before.start if before is not None and titled else block.start))
        before = block
    starts = [0, *(start for _, start in begun[1:])]
    ends = [*starts[1:], len(text) + 1]
    return tuple(
        Sheet(name=name, start=start, end=end, shown=start <= place < end)
        for (name, _), start, end in zip(begun, starts, ends, strict=False)
    )


def _items(units: Iterable[Unit], marker: Marker) -> Iterable[Item]:
    page: int | None = None
    for (number, kind), group in groupby(units, key=lambda unit: (unit.block.page_first, _kind(unit.block))):
        if number is not None and number != page:
            page = number
            yield Item(kind="page", start=-number, page=number)
        if kind == "list":
            yield _list(list(group), marker)
        elif kind == "table":
            yield from _tables(list(group), marker)
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


def _single(unit: Unit, kind: str, marker: Marker) -> Item:
    level = min((unit.block.level or 1) + 1, 6)
    return Item(kind=kind, start=unit.start, level=level, pieces=_pieces(unit, marker))


def _pieces(unit: Unit, marker: Marker) -> Pieces:
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


def _list(units: Sequence[Unit], marker: Marker) -> Item:
    rows, bullets = [], []
    for unit in units:
        raw = (unit.start, unit.end)
        first = marker.text[raw[0] if marker.links is None else tidy(marker.text, raw, unit.block.kind)[0]]
        rows.append((_pieces(unit, marker),))
        # A number or a bullet that stands in the text is not drawn a second time.
        bullets.append(first.isalpha() or first in "\"'([`*_")
    return Item(kind="list", start=units[0].start, rows=tuple(rows), bullets=tuple(bullets))


def _tables(units: Sequence[Unit], marker: Marker) -> Iterator[Item]:
    for start, table in grids(units, marker):
        if isinstance(table, Grid):
            sheet = str(units[0].block.attrs.get("sheet") or "")
            yield Item(kind="grid", start=start, grid=table, sheet=sheet)
        else:
            yield Item(kind="table", start=start, rows=table)


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
        level = min(block.level or 1, 6)
        entries.append(OutlineEntry(text=name, start=block.start, level=level, shown=shown, page=block.page_first))
    return tuple(entries)
