"""What all readers of tables share: a sheet of stored cells becomes a heading, captions and records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.sheet_tables import Merge, Row, Table, find_tables, merge_values, span_names
from knowledge.types import BlockKind

_MAX_SHEETS_NAMED = 5  # in one warning


@dataclass(frozen=True, slots=True)
class Note:
    """A comment on a cell; ``row`` and ``column`` are 1-based."""

    row: int
    column: int
    author: str
    text: str


@dataclass(slots=True, kw_only=True)
class Sheet:
    """The stored cells of one sheet; rows need no order, columns within a row ascend."""

    name: str
    rows: list[Row]
    merges: list[Merge] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)  # text boxes drawn over the cells
    hidden: bool = False
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)  # first, last


def letters(column: int) -> str:
    """The name of a 1-based column: A, Z, AA, XFD."""
    name = ""
    while column > 0:
        column, digit = divmod(column - 1, 26)
        name = chr(65 + digit) + name
    return name


def one_line(text: str) -> str:
    """Fold white space and leave out what no reader sees: NUL, other control characters, lone surrogates."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(c for c in line if c >= " " and c != "\x7f" and not "\ud800" <= c <= "\udfff").strip()


def record_text(
    prefixes: Mapping[int, str], columns: Sequence[int], texts: Sequence[str]
) -> tuple[str, list[tuple[int, int]]]:
    """One record as "header: value; header: value" and the ranges of its values.

    ``prefixes`` holds "header: " by column number; a column without one gives its value alone.
    """
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    for column, text in zip(columns, texts, strict=True):
        piece = prefixes.get(column, "")
        if parts:
            piece = f"; {piece}"
        start = length + len(piece)
        parts += (piece, text)
        length = start + len(text)
        spans.append((start, length))
    return "".join(parts), spans


def prefixes_of(names: Mapping[int, str]) -> dict[int, str]:
    """Column names as they stand before a value."""
    return {column: f"{name.rstrip(':').rstrip()}: " for column, name in names.items() if name.strip(" :")}


class RecordWriter:
    """Adds records as table rows; what depends only on the columns is made once."""

    def __init__(self, builder: TextBuilder, limits: ParseLimits) -> None:
        self._builder = builder
        self._max_text = limits.inflated_bytes
        self._letters: dict[tuple[int, ...], list[str]] = {}

    def add(
        self,
        prefixes: Mapping[int, str],
        row: int,
        columns: tuple[int, ...],
        texts: Sequence[str],
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Append one record.

        :raises DocumentTooLarge: names and values repeated on every row have outgrown the limit.
        """
        text, spans = record_text(prefixes, columns, texts)
        if len(self._builder) + len(text) > self._max_text:
            raise DocumentTooLarge(f"The text of the tables exceeds {self._max_text // (1024 * 1024)} MB.")
        named = self.names(columns)
        self._builder.add(BlockKind.TABLE_ROW, text, attrs={**(attrs or {}), "row": row, "columns": named}, cells=spans)

    def add_line(
        self,
        kind: BlockKind,
        row: int,
        columns: tuple[int, ...],
        texts: Sequence[str],
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Append a row of one cell that is no record: a title, a line of prose."""
        attrs = {**(attrs or {}), "row": row, "columns": self.names(columns)}
        self._builder.add(kind, texts[0], attrs=attrs, cells=[(0, len(texts[0]))])

    def names(self, columns: tuple[int, ...]) -> list[str]:
        """The letters of these columns; equal columns share one list."""
        known = self._letters.get(columns)
        if known is None:
            if len(self._letters) > 10_000:
                self._letters.clear()
            known = self._letters[columns] = [letters(column) for column in columns]
        return known


class SheetWriter:
    """Writes sheets one after the other and gathers the warnings about them."""

    def __init__(self, builder: TextBuilder, limits: ParseLimits) -> None:
        self.warnings: list[str] = []
        self._builder = builder
        self._records = RecordWriter(builder, limits)
        self._budget = limits.cells
        self._max_cells = limits.cells
        self._hidden: list[str] = []

    def spend(self, cells: int) -> None:
        """Count cells of the document.

        :raises DocumentTooLarge: there are more than the limit.
        """
        self._budget -= cells
        if self._budget < 0:
            raise DocumentTooLarge(f"The sheets have more than {self._max_cells:,} cells.")

    def sheet(self, sheet: Sheet) -> None:
        """Append one sheet; one without anything to read leaves no trace."""
        if not (sheet.rows or sheet.notes or sheet.boxes):
            return
        base: dict[str, Any] = {"sheet": sheet.name}
        if sheet.hidden:
            self._hidden.append(sheet.name)
            base["hidden"] = True
        self._builder.add(BlockKind.HEADING, one_line(sheet.name), level=1, attrs=base)
        rows = _ordered(sheet.rows)
        self.spend(merge_values(rows, sheet.merges, budget=self._budget))
        spans = span_names(rows, sheet.merges)
        self._warn_of_hidden(sheet, rows)
        for table in find_tables(rows, spans):
            self._table(table, base, sheet.hidden_columns)
        for text in sheet.boxes:
            self._builder.add(BlockKind.PARAGRAPH, text, attrs=base)
        for note in sorted(sheet.notes, key=lambda each: (each.row, each.column)):
            self._note(note, base)

    def finish(self) -> tuple[str, ...]:
        """Every warning, those about hidden sheets in one sentence."""
        if self._hidden:
            shown = ", ".join(f"“{name}”" for name in self._hidden[:_MAX_SHEETS_NAMED])
            more = len(self._hidden) - _MAX_SHEETS_NAMED
            named = f"{shown} and {more:,} more are" if more > 0 else f"{shown} {'is' if more == -4 else 'are'}"
            self.warnings.insert(0, f"Hidden sheets were read as well: {named} hidden in the workbook.")
        return tuple(self.warnings)

    def _table(self, table: Table, base: dict[str, Any], hidden_columns: list[tuple[int, int]]) -> None:
        self._builder.end_table()
        for row in table.above:
            self._plain(row, BlockKind.CAPTION if table.rows and len(row.texts) == 1 else None, base)
        prefixes = prefixes_of(table.names)
        for row in table.header_rows if _names_unused(table) else ():
            self._records.add({}, row.number, row.columns, row.texts, {**_where(row, base), "header": True})
        for row in table.rows:
            attrs = _where(row, base)
            if row.hidden or (hidden_columns and _all_hidden(row.columns, hidden_columns)):
                attrs["hidden"] = True
            if table.is_prose:
                self._plain(row, BlockKind.PARAGRAPH, attrs)
            else:
                self._records.add(prefixes, row.number, row.columns, row.texts, attrs)
        self._builder.end_table()

    def _plain(self, row: Row, kind: BlockKind | None, base: dict[str, Any]) -> None:
        attrs = _where(row, base)
        if row.hidden:
            attrs["hidden"] = True
        if kind is None:
            self._records.add({}, row.number, row.columns, row.texts, attrs)
            return
        self._records.add_line(kind, row.number, row.columns, row.texts, attrs)

    def _note(self, note: Note, base: dict[str, Any]) -> None:
        cell = f"{letters(note.column)}{note.row}"
        by = f" by {note.author}" if note.author else ""
        attrs = {**base, "range": cell, "row": note.row}
        if note.author:
            attrs["author"] = note.author
        self._builder.add(BlockKind.NOTE, f"Comment on {cell}{by}: {note.text}", attrs=attrs)

    def _warn_of_hidden(self, sheet: Sheet, rows: Iterable[Row]) -> None:
        hidden_rows = sum(row.hidden for row in rows)
        if hidden_rows:
            what = "1 hidden row, which was" if hidden_rows == 1 else f"{hidden_rows:,} hidden rows, which were"
            self.warnings.append(f"The sheet “{sheet.name}” has {what} read as well.")
        if sheet.hidden_columns:
            columns = {c for row in rows for c in row.columns}
            hidden = sorted(c for c in columns if _all_hidden((c,), sheet.hidden_columns))
            if hidden:
                shown = ", ".join(letters(c) for c in hidden[:10]) + (" and more" if len(hidden) > 10 else "")
                self.warnings.append(f"The sheet “{sheet.name}” has hidden columns, which were read as well: {shown}.")


def _names_unused(table: Table) -> bool:
    """Whether a column has a name but no value, so that its name would be lost."""
    used = {column for columns in {row.columns for row in table.rows} for column in columns}
    return not set(table.names.values()) <= {table.names.get(column) for column in used}


def _ordered(rows: list[Row]) -> list[Row]:
    """Rows by number; damaged files repeat some, whose cells are put together."""
    if all(before.number < after.number for before, after in pairwise(rows)):
        return rows
    found: dict[int, Row] = {}
    for row in rows:
        found[row.number] = found[row.number].joined(row) if row.number in found else row
    return [found[number] for number in sorted(found)]


def _where(row: Row, base: dict[str, Any]) -> dict[str, Any]:
    first, last = f"{letters(row.columns[0])}{row.number}", f"{letters(row.columns[-1])}{row.number}"
    return {**base, "range": first if first == last else f"{first}:{last}"}


def _all_hidden(columns: Sequence[int], ranges: Sequence[tuple[int, int]]) -> bool:
    return all(any(first <= column <= last for first, last in ranges) for column in columns)
