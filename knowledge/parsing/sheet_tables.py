"""Finds the tables of a sheet: islands of cells, the lines above them, and the names of their columns.

Everything is linear in the number of stored cells; an empty cell costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_ROWS: Final = 1_048_576
MAX_COLUMNS: Final = 16_384
EMPTY_FACTOR: Final = 5  # stored cells and rows without a value that are looked at for each cell the limit allows
TEXT: Final = 0
NUMBER: Final = 1  # numbers, truth values, errors
DATE: Final = 2
BOLD: Final = 4  # added to one of those

Merge: TypeAlias = tuple[int, int, int, int]
"""First row, first column, last row, last column; 1-based, inclusive."""

_NAME_LENGTH = 120  # a longer text is no column name
_LABEL_LENGTH = 200  # a longer merged value is not repeated on the rows it spans
_SAMPLE = 50  # rows under a header that are looked at
_MOST_ABOVE = 6  # lines above a header


@dataclass(slots=True)
class Row:
    """The cells of one row that hold text; parallel, columns ascending."""

    number: int  # 1-based
    columns: tuple[int, ...]  # 1-based
    texts: list[str]
    kinds: bytes
    hidden: bool = False

    def part(self, first: int, last: int) -> Row | None:
        """The cells in these columns, or None."""
        start, end = bisect_left(self.columns, first), bisect_right(self.columns, last)
        if start == 0 and end == len(self.columns):
            return self
        if start == end:
            return None
        return Row(self.number, self.columns[start:end], self.texts[start:end], self.kinds[start:end], self.hidden)

    def joined(self, other: Row) -> Row:
        """The cells of both; where both have one, the first stays."""
        cells = {c: (t, k) for c, t, k in zip(other.columns, other.texts, other.kinds, strict=True)}
        cells |= {c: (t, k) for c, t, k in zip(self.columns, self.texts, self.kinds, strict=True)}
        columns = tuple(sorted(cells))
        texts, kinds = [cells[c][0] for c in columns], bytes(cells[c][1] for c in columns)
        return Row(self.number, columns, texts, kinds, self.hidden or other.hidden)


@dataclass(slots=True, kw_only=True)
class Table:
    """One island of cells."""

    above: list[Row] = field(default_factory=list)  # titles and lines over the header
    header_rows: list[Row] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)  # by column; empty: no header
    rows: list[Row]
    is_prose: bool = False  # one column of text: lines, not records


Spans: TypeAlias = Mapping[tuple[int, int], int]
"""Last column that a merged cell covers, by its row and first column."""


def merge_values(rows: list[Row], merges: Sequence[Merge], *, budget: int) -> int:
    """Repeat the value of a cell merged downwards on the stored rows it spans; return the cells looked at.

    Stops beyond ``budget``: damaged files hold merges that overlap without end.
    """
    numbers = [row.number for row in rows]
    looked = 0
    for first, column, last, _ in merges:
        looked += 1
        if looked > budget:
            return looked
        at = bisect_left(numbers, first)
        if last == first or at == len(rows) or numbers[at] != first or (cell := _cell(rows[at], column)) is None:
            continue
        text, kind = cell
        if len(text) > _LABEL_LENGTH:
            continue
        for below in range(at + 1, bisect_right(numbers, last)):
            looked += 1 + len(rows[below].columns)
            if looked > budget:
                return looked
            if _cell(rows[below], column) is None:
                rows[below] = rows[below].joined(Row(numbers[below], (column,), [text], bytes((kind,))))
    return looked


def span_names(rows: list[Row], merges: Sequence[Merge]) -> dict[tuple[int, int], int]:
    """What merged cells with a value cover to their right."""
    by_number = {row.number: row for row in rows} if merges else {}
    spans: dict[tuple[int, int], int] = {}
    for first, column, _, last in merges:
        row = by_number.get(first)
        if last > column and row is not None and _cell(row, column) is not None:
            spans.setdefault((first, column), last)
    return spans


def _cell(row: Row, column: int) -> tuple[str, int] | None:
    at = bisect_left(row.columns, column)
    if at < len(row.columns) and row.columns[at] == column:
        return row.texts[at], row.kinds[at]
    return None


def find_tables(rows: Sequence[Row], spans: Spans) -> Iterator[Table]:
    """Yield the islands from top to bottom, those side by side from left to right."""
    for band in _bands(rows):
        borders = _column_islands(band, spans)
        if len(borders) == 1:
            yield _table(band, spans)
            continue
        for first, last in borders:
            for island in _bands([part for row in band if (part := row.part(first, last)) is not None]):
                yield _table(island, spans)


def _bands(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut where a row is blank."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at].number > rows[at - 1].number + 1:
            if at > start:
                yield rows[start:at]
            start = at


def _column_islands(band: Sequence[Row], spans: Spans) -> list[tuple[int, int]]:
    """First and last columns of tables that stand side by side, in order; mostly one.

    A wrong cut takes the values of a record from its name, so only a clear gap cuts.
    """
    groups = _column_groups(band, spans)
    if len(groups) < 2:
        return groups
    facts = _facts(band, groups)
    islands = [groups[0]]
    for at in range(1, len(groups)):
        if _apart(facts[at - 1], facts[at], gap=groups[at][0] - groups[at - 1][1] - 1):
            islands.append(groups[at])
        else:
            islands[-1] = (islands[-1][0], groups[at][1])
    return islands


def _column_groups(band: Sequence[Row], spans: Spans) -> list[tuple[int, int]]:
    """Runs of columns that hold something."""
    used = [(column, column) for column in {c for columns in {row.columns for row in band} for c in columns}]
    if spans:
        used += [(c, spans[row.number, c]) for row in band for c in row.columns if (row.number, c) in spans]
    groups: list[tuple[int, int]] = []
    for first, last in sorted(used):
        if groups and first <= groups[-1][1] + 1:
            groups[-1] = (groups[-1][0], max(groups[-1][1], last))
        else:
            groups.append((first, last))
    return groups


@dataclass(slots=True)
class _Facts:
    """What is known of one run of columns in a band."""

    width: int
    first_row: int = 0
    last_row: int = 0
    rows: int = 0
    led: int = 0  # rows whose first column is filled
    names: frozenset[str] = frozenset()  # texts of its first row


def _facts(band: Sequence[Row], groups: Sequence[tuple[int, int]]) -> list[_Facts]:
    starts = [first for first, _ in groups]
    facts = [_Facts(last - first + 1) for first, last in groups]
    for row in band:
        seen: dict[int, list[str]] = {}
        for column, text in zip(row.columns, row.texts, strict=True):
            group = bisect_right(starts, column) - 1
            seen.setdefault(group, []).append(text)
            facts[group].led += column == starts[group]
        for group, texts in seen.items():
            fact = facts[group]
            if not fact.rows:
                fact.first_row, fact.names = row.number, frozenset(texts)
            fact.last_row = row.number
            fact.rows += 1
    return facts


def _apart(left: _Facts, right: _Facts, *, gap: int) -> bool:
    if min(left.width, right.width, left.rows, right.rows) < 2:
        return False
    same_extent = (left.first_row, left.last_row) == (right.first_row, right.last_row)
    whole = all(fact.led == fact.rows == fact.last_row - fact.first_row + 1 for fact in (left, right))
    return gap >= 2 or bool(left.names & right.names) or (whole and not same_extent)


def _table(rows: Sequence[Row], spans: Spans) -> Table:
    """Tell titles, header and records of one island apart."""
    if all(len(row.columns) == 1 for row in rows):
        return _list(rows)
    titles = 0
    while titles < len(rows) - 1 and len(rows[titles].columns) == 1 and titles < _MOST_ABOVE:
        titles += 1
    body = rows[titles:]
    header = _header(body, spans)
    if header is None:
        return Table(above=list(rows[:titles]), rows=list(body))
    first, last = header
    return Table(
        above=list(rows[: titles + first]),
        header_rows=list(body[first : last + 1]),
        names=_names(body[first : last + 1], spans),
        rows=list(body[last + 1 :]),
    )


def _list(rows: Sequence[Row]) -> Table:
    """Rows of one cell each: numbers under their name, or lines of text."""
    below = [row.kinds[0] & ~BOLD for row in rows[1:]]
    one_column = len({row.columns for row in rows}) == 1
    if below and one_column and _is_text(rows[0], 0) and TEXT not in below:
        return Table(header_rows=[rows[0]], names={rows[0].columns[0]: rows[0].texts[0]}, rows=list(rows[1:]))
    return Table(rows=list(rows), is_prose=True)


def _is_text(row: Row, at: int) -> bool:
    return row.kinds[at] & ~BOLD == TEXT and len(row.texts[at]) <= _NAME_LENGTH


def _header(rows: Sequence[Row], spans: Spans) -> tuple[int, int] | None:
    """Positions of the first and last header row; None when there is none."""
    width = len({column for columns in {row.columns for row in rows} for column in columns})
    for at in range(min(len(rows) - 1, _MOST_ABOVE)):
        row = rows[at]
        under = rows[at + 2 : at + 2 + _SAMPLE]
        next_names = bool(under) and _is_header(rows[at + 1], under, width)
        if next_names and _groups_columns(row, spans):
            return at, at + 1
        fuller = next_names and len(rows[at + 1].columns) > len(row.columns)
        if not fuller and _is_header(row, rows[at + 1 : at + 1 + _SAMPLE], width):
            return at, at
        if len(row.columns) >= width or not all(_is_text(row, cell) for cell in range(len(row.columns))):
            return None
    return None


def _groups_columns(row: Row, spans: Spans) -> bool:
    """Whether a row of texts spans columns, as the upper one of two header rows does."""
    return any((row.number, c) in spans for c in row.columns) and all(len(text) <= _NAME_LENGTH for text in row.texts)


def _is_header(row: Row, below: Sequence[Row], width: int) -> bool:
    if len(row.columns) < 2 or any(len(text) > _NAME_LENGTH for text in row.texts):
        return False
    if not all(_is_text(row, at) for at in range(len(row.columns))):
        return _is_time_line(row, below)
    if all(kind & BOLD for kind in row.kinds) and not all(kind & BOLD for each in below for kind in each.kinds):
        return True
    if any(_mostly_numbers(column, below) for column in row.columns):
        return True
    return len(row.columns) == width >= 3 and len(set(row.texts)) == width


def _mostly_numbers(column: int, below: Sequence[Row]) -> bool:
    kinds = [cell[1] & ~BOLD for row in below if (cell := _cell(row, column)) is not None]
    return bool(kinds) and kinds.count(TEXT) * 2 <= len(kinds)


def _is_time_line(row: Row, below: Sequence[Row]) -> bool:
    """Whether a row names columns by years or dates: "Region, 2023, 2024" over texts and numbers."""
    times = [text for text, kind in zip(row.texts, row.kinds, strict=True) if kind & ~BOLD != TEXT]
    dates = all(kind & ~BOLD != NUMBER for kind in row.kinds)
    years = all(len(text) == 4 and text.isdecimal() and "1800" <= text <= "2200" for text in times)
    if len(times) < 2 or len(set(times)) < len(times) or not (dates or years):
        return False
    named = row.kinds[0] & ~BOLD == TEXT or all(each.columns[0] < row.columns[0] for each in below)
    return bool(below) and named and all(each.kinds[0] & ~BOLD != NUMBER for each in below)


def _names(header: Sequence[Row], spans: Spans) -> dict[int, str]:
    """Names by column; a merged cell names every column it spans, two header rows are read one after the other."""
    names: dict[int, str] = {}
    for row in header:
        following = (*row.columns[1:], MAX_COLUMNS + 1)
        for column, text, after in zip(row.columns, row.texts, following, strict=True):
            for covered in range(column, min(spans.get((row.number, column), column) + 1, after)):
                above = names.get(covered, "")
                names[covered] = text if above in ("", text) else f"{above} {text}"
    return names
