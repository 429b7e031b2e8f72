"""The cells of one XLSX sheet, turned into rows as they stream by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from knowledge.errors import DocumentDamaged
from knowledge.parsing import xlsx_parts
from knowledge.parsing.sheet import SheetWriter, letters, one_line
from knowledge.parsing.sheet_tables import BOLD, DATE, MAX_COLUMNS, MAX_ROWS, NUMBER, TEXT, Row
from knowledge.parsing.xlsx_parts import Style, is_on, local, position, whole

if TYPE_CHECKING:
    from lxml.etree import _Element

_NO_STYLE: Final = Style()


class Workbook(Protocol):
    """What the cells of all sheets refer to."""

    texts: list[str]
    styles: list[Style]

    def count_stored(self, cells: int) -> None:
        """Count cells, those without a value too.

        :raises DocumentTooLarge: there are too many.
        """
        ...


@dataclass(slots=True)
class SheetReader:
    """Turns the elements of one sheet into rows."""

    workbook: Workbook
    writer: SheetWriter
    rows: list[Row] = field(default_factory=list)
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    _columns: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)
    _kinds: dict[bytes, bytes] = field(default_factory=dict)
    _number: int = 0
    _lost: list[str] = field(default_factory=list)
    _outside: int = 0
    _formulas: int = 0
    _shared_formulas: int = 0

    def read(self, elements: Iterator[_Element]) -> None:
        seen = 0
        for element in elements:
            kind = local(element)
            if kind == "row":
                seen += 1
                if seen > MAX_ROWS:
                    raise DocumentDamaged(f"The file is damaged: a sheet has more than {MAX_ROWS:,} rows.")
                self._row(element)
            elif kind == "col" and is_on(element.get("hidden")):
                if len(self.hidden_columns) < MAX_COLUMNS:
                    self.hidden_columns.append((whole(element.get("min")), whole(element.get("max"))))
            elif kind == "mergeCell":
                self.writer.spend(1)
                first_cell, _, last_cell = (element.get("ref") or "").partition(":")
                start, end = position(first_cell), position(last_cell)
                if start and end:
                    self.merges.append((*start, *end))

    def _row(self, element: _Element) -> None:
        number = whole(element.get("r"))
        self._number = number if number >= 0 else self._number + 1
        self.workbook.count_stored(1 + len(element))
        if not 0 < self._number <= MAX_ROWS:
            self._outside += len(element)
            return
        if len(element) > MAX_COLUMNS:
            raise DocumentDamaged(f"The file is damaged: row {self._number:,} has more than {MAX_COLUMNS:,} cells.")
        columns, texts, kinds = [], [], bytearray()
        at = 0
        for cell in element:
            reference = cell.get("r")
            place = position(reference) if reference else (self._number, at + 1)
            if place is None or place[1] > MAX_COLUMNS:
                self._outside += 1
                continue
            at = place[1]
            found = self._cell(cell, at)
            if found is not None:
                columns.append(at)
                texts.append(found[0])
                kinds.append(found[1])
        if columns:
            self.writer.spend(len(columns))
            self.rows.append(self._made(columns, texts, bytes(kinds), is_on(element.get("hidden"))))

    def _made(self, columns: list[int], texts: list[str], kinds: bytes, hidden: bool) -> Row:
        """Make the row; rows with the same columns and kinds share them."""
        if any(before >= after for before, after in pairwise(columns)):
            cells = {c: (t, k) for c, t, k in zip(columns, texts, kinds, strict=True)}
            columns = sorted(cells)
            texts, kinds = [cells[c][0] for c in columns], bytes(cells[c][1] for c in columns)
        key = tuple(columns)
        if len(self._columns) > 10_000:
            self._columns.clear()
            self._kinds.clear()
        return Row(
            self._number, self._columns.setdefault(key, key), texts, self._kinds.setdefault(kinds, kinds), hidden
        )

    def _cell(self, cell: _Element, column: int) -> tuple[str, int] | None:
        """Text and kind of a cell; None when it shows nothing."""
        value: str | None = None
        formula = inline = None
        for child in cell:
            name = local(child)
            if name == "v":
                value = child.text or ""
            elif name == "f":
                formula = child
            elif name == "is":
                inline = child
        style = self._style(cell.get("s"))
        bold = BOLD if style.bold else 0
        kind = cell.get("t") or "n"
        if inline is not None and kind == "inlineStr":
            text = xlsx_parts.rich_text(inline)
            return (text, TEXT | bold) if text else None
        if value is None or (not value and kind != "str"):
            return self._formula(formula, bold)
        text, known = self._value(value.strip() if kind != "str" else value, kind, style, column)
        return (text, known | bold) if text else None

    def _value(self, value: str, kind: str, style: Style, column: int) -> tuple[str, int]:
        if kind == "s":
            index = whole(value)
            if 0 <= index < len(self.workbook.texts):
                return self.workbook.texts[index], TEXT
            self._lost.append(f"{letters(column)}{self._number}")
            return "", TEXT
        if kind == "str":
            return one_line(xlsx_parts.unescaped(value)), TEXT
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value.upper()), NUMBER
        if kind == "e":
            return one_line(value), NUMBER
        if kind == "d":
            return value.removesuffix("Z").removesuffix("T00:00:00").replace("T", " "), DATE
        if kind != "n":
            return one_line(xlsx_parts.unescaped(value)), TEXT
        return one_line(style.format.show(value)), DATE if style.format.is_date else NUMBER

    def _formula(self, formula: _Element | None, bold: int) -> tuple[str, int] | None:
        """A formula that no program has calculated yet is shown as it is written."""
        if formula is None:
            return None
        text = one_line(formula.text or "")
        if not text:
            self._shared_formulas += 1
            return None
        self._formulas += 1
        return f"={text}", NUMBER | bold

    def _style(self, index: str | None) -> Style:
        number = whole(index or "0")
        return self.workbook.styles[number] if 0 <= number < len(self.workbook.styles) else _NO_STYLE

    def warn(self, name: str) -> None:
        """Say in words what of this sheet could not be read."""
        say = self.writer.warnings.append
        if self._lost:
            shown = ", ".join(self._lost[:5]) + (" and more" if len(self._lost) > 5 else "")
            say(f"The sheet “{name}” has cells whose text is missing from the file: {shown}.")
        if self._outside:
            say(f"The sheet “{name}” has {self._outside:,} cells outside any sheet's bounds, which were left out.")
        if self._formulas:
            say(f"The sheet “{name}” has {_count(self._formulas)} without a stored result, shown as written.")
        if self._shared_formulas:
            say(f"The sheet “{name}” has {_count(self._shared_formulas)} copied without a result, left out.")


def _count(formulas: int) -> str:
    return "1 formula" if formulas == 1 else f"{formulas:,} formulas"
