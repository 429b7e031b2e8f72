"""A look at the records of an XLS workbook before it is read: what calamine does not tell. Source: [MS-XLS]."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from knowledge.errors import DocumentEncrypted, DocumentTooLarge
from knowledge.parsing.number_format import format_code

_BOF, _EOF, _FILEPASS, _SHEET = 0x0809, 0x000A, 0x002F, 0x0085
_FORMAT, _STYLE, _COMMENT = 0x041E, 0x00E0, 0x001C
_ROW, _FORMULA, _BOOLERR, _COLUMNS = 0x0208, 0x0006, 0x0205, 0x007D
_SINGLE_CELLS: Final = frozenset((0x0203, 0x0204, 0x0205, 0x0006, 0x00D6, 0x00FD, 0x027E))
_MANY_CELLS: Final = frozenset((0x00BD,))
_ERRORS: Final = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip
_DENSE_CELLS = 8_000_000  # calamine holds the rectangle around the cells: 24 bytes each


@dataclass(slots=True)
class SheetFacts:
    """Rows and columns are 1-based."""

    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    styles: dict[tuple[int, int], int] = field(default_factory=dict)  # of numbers, where it is not the first
    comments: int = 0
    cells: int = 0
    _rows: tuple[int, int] = (1 << 16, 0)
    _columns: tuple[int, int] = (1 << 16, 0)

    def extend(self, row: int, first: int, last: int) -> None:
        self.cells += last - first + 1
        self._rows = (min(self._rows[0], row), max(self._rows[1], row))
        self._columns = (min(self._columns[0], first), max(self._columns[1], last))

    @property
    def area(self) -> int:
        return max(0, self._rows[1] + 1 - self._rows[0]) * max(0, self._columns[1] + 1 - self._columns[0])


@dataclass(slots=True)
class WorkbookFacts:
    sheets: dict[int, SheetFacts] = field(default_factory=dict)  # by number in the workbook, from 0
    codes: dict[int, str] = field(default_factory=dict)  # number formats
    styles: list[int] = field(default_factory=list)  # number of the format of each style

    def code(self, style: int) -> str:
        """The format code of a style."""
        number = self.styles[style] if style < len(self.styles) else 0
        return self.codes.get(number) or format_code(number)

    def note(self, kind: int, body: bytes) -> None:
        """Take what a record for the whole workbook tells."""
        if kind == _STYLE and len(body) >= 4:
            self.styles.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == _FORMAT and len(body) >= 3:
            self.codes[struct.unpack_from("<H", body)[0]] = _format_text(body[2:])


def _format_text(body: bytes) -> str:
    """The text of a format: with a length of two bytes and a flag since Excel 97, of one byte before."""
    if len(body) >= 3 and body[2] in (0, 1) and len(body) == 3 + int.from_bytes(body[:2], "little") * (1 + body[2]):
        return body[3:].decode("utf-16-le" if body[2] else "latin-1", "replace")
    return body[1:].decode("latin-1")


def look(stream: bytes, *, max_cells: int) -> WorkbookFacts:
    """Walk the records once.

    :raises DocumentEncrypted: the workbook has a password.
    :raises DocumentTooLarge: its cells are too many or too far apart to be held.
    """
    starts: dict[int, int] = {}
    workbook = WorkbookFacts()
    found = workbook.sheets
    current: SheetFacts | None = None
    depth = 0
    for at, kind, body in _records(stream):
        if kind == _FILEPASS:
            raise DocumentEncrypted
        if kind == _SHEET and len(body) >= 4:
            starts.setdefault(struct.unpack_from("<I", body)[0], len(starts))
        elif kind == _BOF:
            depth += 1
            if depth == 1 and at in starts:
                current = found[starts[at]] = SheetFacts()
        elif kind == _EOF:
            depth = max(0, depth - 1)
            current = current if depth else None
        elif current is not None and depth == 1:
            _note(current, kind, body)
        elif depth == 1:
            workbook.note(kind, body)
    if sum(facts.cells for facts in found.values()) > max_cells:
        raise DocumentTooLarge(f"The sheets have more than {max_cells:,} cells.")
    if sum(facts.area for facts in found.values()) > _DENSE_CELLS:
        raise DocumentTooLarge("The cells lie too far apart for an XLS workbook to be read. Save it as XLSX.")
    return workbook


def _records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield at, kind, stream[at + 4 : at + 4 + size]
        at += 4 + size


def _note(facts: SheetFacts, kind: int, body: bytes) -> None:
    if kind in _SINGLE_CELLS and len(body) >= 6:
        row, column = struct.unpack_from("<HH", body)
        facts.extend(row, column, column)
        if style := struct.unpack_from("<H", body, 4)[0]:
            facts.styles[row + 1, column + 1] = style
        code = None
        if kind == _BOOLERR and len(body) >= 8 and body[7]:
            code = body[6]
        elif kind == _FORMULA and len(body) >= 14 and body[12:14] == b"\xff\xff" and body[6] == 2:
            code = body[8]
        if code is not None:
            facts.errors[row + 1, column + 1] = _ERRORS.get(code, "#ERROR!")
    elif kind in _MANY_CELLS and len(body) >= 6:
        row, first = struct.unpack_from("<HH", body)
        facts.extend(row, first, max(first, struct.unpack_from("<H", body, len(body) - 2)[0]))
        for number, at in enumerate(range(4, len(body) - 7, 6), start=first + 1):
            if style := struct.unpack_from("<H", body, at)[0]:
                facts.styles[row + 1, number] = style
    elif kind == _ROW and len(body) >= 16 and body[12] & 0x20:
        facts.hidden_rows.add(struct.unpack_from("<H", body)[0] + 1)
    elif kind == _COMMENT:
        facts.comments += 1
    elif kind == _COLUMNS and len(body) >= 10 and body[8] & 1:
        first, last = struct.unpack_from("<HH", body)
        facts.hidden_columns.append((first + 1, last + 1))
