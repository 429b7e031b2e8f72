"""Rows of tables: as cells in a row, or as a sheet with its letters and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chatapp.markup.inline import Range, Span, inline
from chatapp.reader.pieces import Marker, Pieces
from chatapp.reader.units import Unit

WIDEST_WITH_GAPS = 60  # columns up to which a sheet also shows the empty ones between

Rows = tuple[tuple[Pieces, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    letter: str
    name: str  # from the head of the table; empty where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """One row of a sheet. ``cells`` has one entry for each column, or a single one over all of them."""

    number: int | None
    cells: tuple[Pieces, ...]
    whole: bool = False

    @property
    def shown(self) -> list[tuple[Pieces, bool]]:
        """Return the cells, each with whether the current range touches it."""
        return [(pieces, any(piece.marked for piece in pieces)) for pieces in self.cells]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    columns: tuple[Column, ...]
    rows: tuple[GridRow, ...]
    named: bool  # whether any column has a name


def plain_rows(units: Iterable[Unit], marker: Marker) -> Rows:
    """Return the cells of the rows, each with the words of its header before it."""
    rows = []
    for unit in units:
        raw = (unit.start, unit.end)
        if marker.links is None:
            cells = [[Span(start=start, end=end)] for start, end in _cells(marker.text, unit)]
        else:
            cells = [inline(marker.text, *cell, links=marker.links) for cell in _markdown_cells(marker.text, raw)]
        rows.append(tuple(marker.cut(cell) for cell in marker.shown(raw, cells)))
    return tuple(rows)


def grids(units: Sequence[Unit], marker: Marker) -> Iterator[tuple[int, Grid | Rows]]:
    """Yield the rows as sheets where their columns are known, and as plain rows where not, each with its start.

    A row whose columns have other names than those above begins a sheet of its own, and so does one that stands no
    lower than the row before: the next of two tables side by side.
    """
    part: list[_Row] = []
    loose: list[Unit] = []
    names: dict[str, str] = {}
    for unit in units:
        row = _row_of(marker.text, unit)
        if part and (row is None or _contradicts(names, row) or _is_beside(part[-1], row)):
            yield part[0].unit.start, _grid(part, names, marker)
            part, names = [], {}
        if row is None:
            loose.append(unit)
            continue
        if loose:
            yield loose[0].start, plain_rows(loose, marker)
            loose = []
        part.append(row)
        names.update({cell.letter: cell.name for cell in row.cells if cell.name})
    if part:
        yield part[0].unit.start, _grid(part, names, marker)
    if loose:
        yield loose[0].start, plain_rows(loose, marker)


@dataclass(frozen=True, slots=True)
class _Cell:
    letter: str
    name: str
    value: Range


@dataclass(frozen=True, slots=True)
class _Row:
    unit: Unit
    number: int | None
    cells: list[_Cell] = field(default_factory=list)


def _row_of(text: str, unit: Unit) -> _Row | None:
    """Read a row whose block says in which columns its values stand; None for any other."""
    block = unit.block
    columns, ranges = block.attrs.get("columns"), _ranges(unit)
    if not isinstance(columns, list) or len(columns) != len(ranges) or not ranges:
        return None
    if (unit.start, unit.end) != (block.start, block.end):
        return None  # a part of a very long row
    cells, position = [], block.start
    for letter, (start, end) in zip(columns, ranges, strict=True):
        if not (isinstance(letter, str) and _number_of(letter) and position <= start < end <= block.end):
            return None
        name = text[position:start].removeprefix("; ").removesuffix(" ").removesuffix(":").strip()
        cells.append(_Cell(letter, name, (start, end)))
        position = end
    number = block.attrs.get("row")
    return _Row(unit, number if isinstance(number, int) else None, cells)


def _contradicts(names: dict[str, str], row: _Row) -> bool:
    return any(cell.name and names.get(cell.letter, cell.name) != cell.name for cell in row.cells)


def _is_beside(above: _Row, row: _Row) -> bool:
    return above.number is not None and row.number is not None and row.number <= above.number


def _grid(rows: Sequence[_Row], names: dict[str, str], marker: Marker) -> Grid:
    letters = _letters({cell.letter for row in rows for cell in row.cells})
    return Grid(
        columns=tuple(Column(letter=letter, name=names.get(letter, "")) for letter in letters),
        rows=tuple(_grid_row(row, letters, marker) for row in rows),
        named=bool(names),
    )


def _grid_row(row: _Row, letters: Sequence[str], marker: Marker) -> GridRow:
    raw = (row.unit.start, row.unit.end)
    values = [[Span(start=cell.value[0], end=cell.value[1])] for cell in row.cells]
    shown = marker.shown(raw, values)
    if shown is not values:  # only words of the head are marked: the row as it is written
        return GridRow(number=row.number, cells=(marker.cut(shown[0]),), whole=True)
    cut = {cell.letter: marker.cut(value) for cell, value in zip(row.cells, values, strict=True)}
    return GridRow(number=row.number, cells=tuple(cut.get(letter, ()) for letter in letters))


def _letters(used: set[str]) -> list[str]:
    """Return the columns in order: all from the first to the last one, or only those in use where that is far."""
    numbers = sorted(_number_of(letter) for letter in used)
    if numbers[-1] - numbers[0] < WIDEST_WITH_GAPS:
        numbers = list(range(numbers[0], numbers[-1] + 1))
    return [_letter_of(number) for number in numbers]


def _number_of(letter: str) -> int:
    """Return 1 for A, 27 for AA, and 0 for what is no column."""
    if not (0 < len(letter) <= 4 and letter.isascii() and letter.isupper() and letter.isalpha()):
        return 0
    number = 0
    for character in letter:
        number = number * 26 + ord(character) - ord("A") + 1
    return number


def _letter_of(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _ranges(unit: Unit) -> list[Range]:
    """Return the ranges of a row's values as its parser left them; none if they are anything else."""
    cells = unit.block.attrs.get("cells")
    if not isinstance(cells, list):
        return []
    pairs = [(cell[0], cell[1]) for cell in cells if isinstance(cell, list) and list(map(type, cell)) == [int, int]]
    return pairs if len(pairs) == len(cells) else []


def _cells(text: str, unit: Unit) -> list[Range]:
    """Return one range for each cell: its value with the header before it, without the separator."""
    cells: list[Range] = []
    position = unit.start
    for _, end in _ranges(unit):
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
