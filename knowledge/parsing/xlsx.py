"""XLSX workbooks: stored cells only, read as a stream; calculated values as stored, never evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge, UnsupportedFormat
from knowledge.parsing import xlsx_parts
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.formats import XLSX
from knowledge.parsing.ooxml import Package
from knowledge.parsing.sheet import Sheet, SheetWriter, one_line
from knowledge.parsing.sheet_tables import EMPTY_FACTOR
from knowledge.parsing.xlsx_cells import SheetReader
from knowledge.parsing.xlsx_parts import attribute, is_on, local
from knowledge.types import ParsedDocument

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHER_SHEETS: Final = {
    "chartsheet": "holds only a chart", "dialogsheet": "is a dialog", "xlMacrosheet": "holds only macros",
    "xlIntlMacrosheet": "holds only macros",
}  # fmt: skip


class XlsxParser:
    name: ClassVar[str] = "xlsx"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (XLSX,)
    extensions: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xltx")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if data.startswith(_OLE):
            raise DocumentEncrypted
        package = Package(data, context.limits)
        package.refuse_dtds()
        workbook = _Workbook(package, context.limits.cells)
        builder = TextBuilder()
        writer = SheetWriter(builder, context.limits)
        for sheet in workbook.sheets(writer):
            writer.sheet(sheet)
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=xlsx_parts.title(package),
            warnings=writer.finish(),
        )


class _Workbook:
    """The parts that all sheets share."""

    def __init__(self, package: Package, max_cells: int) -> None:
        self._package = package
        self._stored_left = max_cells * EMPTY_FACTOR
        main = next((r.target for r in xlsx_parts.relations(package, "").values() if r.kind == "officeDocument"), "")
        if main.endswith(".bin"):
            raise UnsupportedFormat("This is a binary workbook (XLSB). Save it as XLSX.")
        main = main if main in package.names else "xl/workbook.xml"
        self._root = package.xml(main)
        self._relations = xlsx_parts.relations(package, main)
        groups = {local(child): child for child in self._root}
        properties = groups.get("workbookPr")
        self.date1904 = properties is not None and is_on(properties.get("date1904"))
        self._listed = groups.get("sheets", ())
        by_kind = {r.kind: r.target for r in self._relations.values() if r.target in package.names}
        shared = by_kind.get("sharedStrings")
        self.texts = xlsx_parts.shared_texts(package, shared, max_cells * EMPTY_FACTOR) if shared else []
        styles = by_kind.get("styles")
        self.styles = xlsx_parts.styles(package, styles, date1904=self.date1904) if styles else []
        self._people = xlsx_parts.people(package, self._relations)

    def sheets(self, writer: SheetWriter) -> Iterator[Sheet]:
        """Yield the sheets in workbook order.

        :raises DocumentDamaged: a sheet is missing or not valid XML.
        """
        for number, entry in enumerate(self._listed, start=1):
            name = one_line(xlsx_parts.unescaped(entry.get("name") or "")) or f"Sheet{number}"
            relation = self._relations.get(attribute(entry, "id"))
            if relation is None:
                raise DocumentDamaged(f"The file is damaged: its sheet “{name}” is missing.")
            if relation.kind in _OTHER_SHEETS:
                writer.warnings.append(f"The sheet “{name}” {_OTHER_SHEETS[relation.kind]} and was left out.")
                continue
            yield self._sheet(name, relation.target, writer, hidden=entry.get("state", "visible") != "visible")

    def _sheet(self, name: str, part: str, writer: SheetWriter, *, hidden: bool) -> Sheet:
        reader = SheetReader(self, writer)
        targets = list(xlsx_parts.relations(self._package, part).values())
        sheet = Sheet(
            name=name,
            rows=reader.rows,
            merges=reader.merges,
            hidden=hidden,
            hidden_columns=reader.hidden_columns,
            notes=list(xlsx_parts.notes(self._package, targets, self._people)),
            boxes=list(xlsx_parts.text_boxes(self._package, targets)),
        )
        reader.read(self._package.stream(part, "{*}row", "{*}col", "{*}mergeCell"))
        reader.warn(name)
        return sheet

    def count_stored(self, cells: int) -> None:
        self._stored_left -= cells
        if self._stored_left < 0:
            raise DocumentTooLarge("The workbook stores more cells than are accepted, most of them without a value.")
