"""From a comparison of two versions to the part of it that one page shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from chatapp.markup.inline import Range
from chatapp.reader.aligning import Budget
from chatapp.reader.comparing import HEADINGS, Comparison, Row, Side, marked
from knowledge.documents.models import DocumentVersion
from knowledge.types import BlockKind

__all__ = ["Cell", "ComparePage", "Item", "compare_page"]

PART_ROWS = 150  # that differ, on one page
PART_CHARACTERS = 200_000
CONTEXT = 1  # unchanged rows that are shown around a change
SHOWN = 8  # unchanged rows that a fold holds at each of its ends; it leads to those between
_PLAIN = {BlockKind.CODE: "code", BlockKind.TABLE_ROW: "row", BlockKind.LIST_ITEM: "item"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A block as the page draws it: ``(words, whether only this version has them)``."""

    kind: str  # heading, code, row, item, paragraph
    pieces: tuple[tuple[str, bool], ...]
    page: int | None
    link: str  # the reader at this place


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row of the page, or a fold of rows that are the same."""

    kind: str  # same, changed, added, removed, moved, fold
    old: Cell | None = None
    new: Cell | None = None
    elsewhere: Cell | None = None
    change: int | None = None  # the number of the change that begins here
    count: int = 0  # of a fold: the rows it stands for
    first: tuple[Item, ...] = ()
    last: tuple[Item, ...] = ()
    between: int = 0  # rows that it does not hold
    link: str = ""  # to these in the reader


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage:
    items: tuple[Item, ...]
    part: int
    parts: int
    changes: int  # in all: neighbouring rows that differ are one
    first: int = 0  # number of the first change of this part
    headings: tuple[tuple[Cell, Cell], ...] = ()
    pages: tuple[tuple[Range, Range], ...] = ()


class _Drawing:
    """Makes cells of the blocks of two versions."""

    def __init__(self, versions: tuple[DocumentVersion, DocumentVersion], texts: tuple[str, str]) -> None:
        self._versions, self.texts, self._budget = versions, texts, Budget()

    def item(self, row: Row, *, change: int | None = None) -> Item:
        row = marked(row, *self.texts, budget=self._budget)
        other = None if row.elsewhere is None else self.cell(1 if row.old else 0, row.elsewhere)
        return Item(
            kind=row.kind, change=change, elsewhere=other,
            old=None if row.old is None else self.cell(0, row.old),
            new=None if row.new is None else self.cell(1, row.new),
        )  # fmt: skip

    def cell(self, which: int, side: Side) -> Cell:
        kind = "heading" if side.kind in HEADINGS else _PLAIN.get(side.kind, "paragraph")
        text = self.texts[which]
        return Cell(kind=kind, pieces=tuple(_pieces(text, side)), page=side.page, link=self.link(which, side))

    def link(self, which: int, side: Side) -> str:
        version = self._versions[which]
        here = reverse("reader:version", args=[version.document_id, version.number])
        return f"{here}?{urlencode({'start': side.start, 'end': side.end})}#match"

    def fold(self, rows: Sequence[Row]) -> Item:
        """Return a fold of rows that are the same."""
        if len(rows) <= 2 * SHOWN:
            return Item(kind="fold", count=len(rows), first=tuple(map(self.item, rows)))
        rest = rows[SHOWN:-SHOWN]
        assert rest[0].new is not None
        return Item(
            kind="fold", count=len(rows), between=len(rest), link=self.link(1, rest[0].new),
            first=tuple(map(self.item, rows[:SHOWN])), last=tuple(map(self.item, rows[-SHOWN:])),
        )  # fmt: skip


def compare_page(
    found: Comparison, versions: tuple[DocumentVersion, DocumentVersion], texts: tuple[str, str], *, part: int
) -> ComparePage:
    """Lay out one part of a comparison, numbered from 1; one that is not there is the nearest that is."""
    drawing = _Drawing(versions, texts)
    starts = list(_starts(found.rows))
    part = min(max(part, 1), max(1, len(starts)))
    numbers = _numbers(found.rows)
    begin = starts[part - 1] if part > 1 else 0
    end = starts[part] if part < len(starts) else len(found.rows)
    items = tuple(_items(found.rows, begin, end, numbers, drawing))
    return ComparePage(
        items=items, part=part, parts=max(1, len(starts)), changes=len(numbers),
        first=min((item.change for item in items if item.change is not None), default=0),
        headings=tuple((drawing.cell(0, here), drawing.cell(1, there)) for here, there in found.headings),
        pages=found.pages,
    )  # fmt: skip


def _starts(rows: Sequence[Row]) -> Iterator[int]:
    """Yield where each part begins: so many rows that differ, or so much text of them."""
    count = characters = 0
    begun = False
    for index, row in enumerate(rows):
        if row.kind == "same":
            continue
        if not begun or count >= PART_ROWS or characters >= PART_CHARACTERS:
            yield index
            begun, count, characters = True, 0, 0
        count += 1
        characters += sum(side.end - side.start for side in (row.old, row.new) if side)


def _numbers(rows: Sequence[Row]) -> dict[int, int]:
    """Return the number of each change by the row it begins with."""
    numbers: dict[int, int] = {}
    for index, row in enumerate(rows):
        if row.kind != "same" and (index == 0 or rows[index - 1].kind == "same"):
            numbers[index] = len(numbers) + 1
    return numbers


def _items(
    rows: Sequence[Row], begin: int, end: int, numbers: dict[int, int], drawing: _Drawing
) -> Iterator[Item]:  # fmt: skip
    at = begin
    while at < end:
        if rows[at].kind != "same":
            yield drawing.item(rows[at], change=numbers.get(at))
            at += 1
            continue
        last = at
        while last < end and rows[last].kind == "same":
            last += 1
        yield from _unchanged(rows, at, last, drawing)
        at = last


def _unchanged(rows: Sequence[Row], at: int, last: int, drawing: _Drawing) -> Iterator[Item]:
    """Yield a run of rows that are the same: what touches a change as it is, the rest folded."""
    head = CONTEXT if at > 0 else 0
    tail = CONTEXT if last < len(rows) else 0
    if last - at <= head + tail + 1:
        yield from map(drawing.item, rows[at:last])
        return
    yield from map(drawing.item, rows[at : at + head])
    yield drawing.fold(rows[at + head : last - tail])
    yield from map(drawing.item, rows[last - tail : last])


def _pieces(text: str, side: Side) -> Iterator[tuple[str, bool]]:
    at = side.start
    for start, end in side.marks:
        if at < start:
            yield text[at:start], False
        yield text[start:end], True
        at = end
    if at < side.end:
        yield text[at : side.end], False
