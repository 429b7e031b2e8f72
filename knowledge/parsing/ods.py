"""OpenDocument spreadsheets: cell texts as shown, repeated cells and rows within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.formats import ODS
from knowledge.parsing.ooxml import Package
from knowledge.parsing.sheet import Note, Sheet, SheetWriter, one_line
from knowledge.parsing.sheet_tables import BOLD, DATE, EMPTY_FACTOR, MAX_COLUMNS, MAX_ROWS, NUMBER, TEXT, Row
from knowledge.types import ParsedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
_TABLE = f"{{{_NS}table:1.0}}"
_TEXT = f"{{{_NS}text:1.0}}"
_OFFICE = f"{{{_NS}office:1.0}}"
_STYLE = f"{{{_NS}style:1.0}}"
_FO = f"{{{_NS}xsl-fo-compatible:1.0}}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_KINDS: Final = {
    "float": NUMBER, "percentage": NUMBER, "currency": NUMBER, "boolean": NUMBER, "date": DATE, "time": DATE,
}  # fmt: skip
_EXTERNAL = "ta_extref"  # copies of other files that formulas look into
_MOST_SPACES = 1_000


class OdsParser:
    name: ClassVar[str] = "ods"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (ODS,)
    extensions: ClassVar[tuple[str, ...]] = (".ods", ".ots")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        package = Package(data, context.limits)
        package.refuse_dtds()
        if "META-INF/manifest.xml" in package.names:
            manifest = package.xml("META-INF/manifest.xml")
            if next(manifest.iter("{*}encryption-data"), None) is not None:
                raise DocumentEncrypted
        builder = TextBuilder()
        writer = SheetWriter(builder, context.limits)
        _Reader(writer, context.limits.cells).read(package)
        title = package.xml("meta.xml").find(f".//{_DC}title") if "meta.xml" in package.names else None
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=title.text if title is not None else None,
            warnings=writer.finish(),
        )


class _Reader:
    """Takes styles, columns and rows as they stream by; a sheet is written when its element ends."""

    def __init__(self, writer: SheetWriter, max_cells: int) -> None:
        self._writer = writer
        self._max_cells = max_cells
        self._left = max_cells
        self._stored_left = max_cells * EMPTY_FACTOR
        self._bold: set[str] = set()
        self._hidden: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self._sheet = Sheet(name="", rows=[])
        self._row = 0
        self._column = 0

    def read(self, package: Package) -> None:
        tags = [f"{_STYLE}style", f"{_TABLE}table-column", f"{_TABLE}table-row", f"{_TABLE}shapes", f"{_TABLE}table"]
        if "content.xml" not in package.names:
            raise DocumentDamaged("The file is damaged: its part content.xml is missing.")
        for element in package.stream("content.xml", *tags):
            tag = str(element.tag)
            if tag == tags[0]:
                self._style(element)
            elif tag == tags[1]:
                self._columns(element)
            elif tag == tags[2]:
                self._rows(element)
            elif tag == tags[3]:
                self._sheet.boxes += list(_boxes(element))
            else:
                self._finish(element)

    def _style(self, element: _Element) -> None:
        name = element.get(f"{_STYLE}name") or ""
        for child in element:
            if child.get(f"{_FO}font-weight") == "bold":
                self._bold.add(name)
            if child.get(f"{_TABLE}display") == "false":
                self._hidden.add(name)

    def _columns(self, element: _Element) -> None:
        first = self._column + 1
        self._column += _repeated(element, "columns", MAX_COLUMNS)
        if (
            element.get(f"{_TABLE}visibility") in ("collapse", "filter")
            and len(self._sheet.hidden_columns) < MAX_COLUMNS
        ):
            self._sheet.hidden_columns.append((first, self._column))

    def _rows(self, element: _Element) -> None:
        """Read one row element; a row with text that is stored once and stands n times is written n times."""
        self._stored_left -= 1 + len(element)
        if self._stored_left < 0:
            raise DocumentTooLarge("The sheets store more cells than are accepted, most of them without a value.")
        times = _repeated(element, "rows", MAX_ROWS)
        first = self._row + 1
        self._row += times
        row = self._cells(element, first)
        if row is None:
            return
        if self._row > MAX_ROWS:
            raise DocumentDamaged(f"The file is damaged: a sheet has more than {MAX_ROWS:,} rows.")
        row.hidden = element.get(f"{_TABLE}visibility") in ("collapse", "filter")
        self._spend(len(row.columns) * times)
        self._sheet.rows += [Row(first + n, row.columns, row.texts, row.kinds, row.hidden) for n in range(times)]

    def _spend(self, cells: int) -> None:
        self._left -= cells
        if self._left < 0:
            raise DocumentTooLarge(f"The sheets have more than {self._max_cells:,} cells.")

    def _cells(self, element: _Element, number: int) -> Row | None:
        columns: list[int] = []
        texts: list[str] = []
        kinds = bytearray()
        at = 1
        for cell in element:
            if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                continue
            times = _repeated(cell, "columns", MAX_COLUMNS)
            if len(cell):
                self._notes(cell, number, at)
                if text := _cell_text(cell):
                    if at + times - 1 > MAX_COLUMNS:
                        raise DocumentDamaged(f"The file is damaged: a row has more than {MAX_COLUMNS:,} cells.")
                    columns += range(at, at + times)
                    texts += [text] * times
                    kinds += bytes((self._kind(cell),)) * times
                    self._merge(cell, number, at)
            at += times
        return Row(number, tuple(columns), texts, bytes(kinds)) if columns else None

    def _kind(self, cell: _Element) -> int:
        bold = BOLD if cell.get(f"{_TABLE}style-name") in self._bold else 0
        return _KINDS.get(cell.get(f"{_OFFICE}value-type") or "", TEXT) | bold

    def _merge(self, cell: _Element, row: int, column: int) -> None:
        down, right = (_count(cell.get(f"{_TABLE}number-{side}-spanned"), MAX_ROWS) for side in ("rows", "columns"))
        if down > 1 or right > 1:
            self._writer.spend(1)
            self._sheet.merges.append((row, column, row + down - 1, column + right - 1))

    def _notes(self, cell: _Element, row: int, column: int) -> None:
        for child in cell:
            if child.tag == f"{_OFFICE}annotation":
                text = " ".join(filter(None, (paragraph_text(p) for p in child.iter(f"{_TEXT}p"))))
                if text:
                    author = one_line(child.findtext(f"{_DC}creator") or "")
                    self._sheet.notes.append(Note(row, column, author, text))
            elif child.tag not in (f"{_TEXT}p", f"{_TABLE}table"):
                self._sheet.boxes += list(_boxes(child))

    def _finish(self, element: _Element) -> None:
        parent = element.getparent()
        if parent is None or parent.tag != f"{_OFFICE}spreadsheet":
            return  # a table within something else
        style = element.get(f"{_TABLE}style-name") or ""
        self._sheet.name = one_line(element.get(f"{_TABLE}name") or "") or "Sheet"
        self._sheet.hidden = style in self._hidden
        if style != _EXTERNAL:
            self._writer.spend(sum(len(row.columns) for row in self._sheet.rows))
            self._writer.sheet(self._sheet)
        self._begin()


def _repeated(element: _Element, what: str, most: int) -> int:
    return _count(element.get(f"{_TABLE}number-{what}-repeated"), most)


def _count(value: str | None, most: int) -> int:
    """A repetition, at least 1; more than a sheet holds is one too many."""
    if value is None or not value.isdecimal():
        return 1
    return max(1, min(int(value[:9]), most + 1))


def _cell_text(cell: _Element) -> str:
    """The paragraphs of a cell on one line; comments and drawings are not part of it."""
    return " ".join(filter(None, (paragraph_text(child) for child in cell if child.tag == f"{_TEXT}p")))


def paragraph_text(paragraph: _Element) -> str:
    """The text of a paragraph with its stored spaces and tabs, on one line."""
    parts = [paragraph.text or ""]
    stack = list(reversed(paragraph))
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
            continue
        if node.tail:
            stack.append(node.tail)
        if node.tag == f"{_TEXT}s":
            parts.append(" " * _count(node.get(f"{_TEXT}c"), _MOST_SPACES))
        elif node.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            parts.append(" ")
        elif node.tag != f"{_OFFICE}annotation" and node.tag != f"{_TEXT}ruby-text":
            stack += reversed(node)
            if node.text:
                stack.append(node.text)
    return one_line("".join(parts))


def _boxes(element: _Element) -> Iterator[str]:
    """The texts of drawn shapes, a line a paragraph."""
    lines = (paragraph_text(p) for p in element.iter(f"{_TEXT}p"))
    if text := "\n".join(filter(None, lines)):
        yield text
