"""Word documents: the body in document order, tracked deletions left out, footnotes at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.parsing.docx_styles import Styles, W, attribute
from knowledge.parsing.ooxml import Package
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAIN_TYPES = re.compile(r"wordprocessingml\.(document|template)\.main\+xml|ms-word\.(document|template)\.macroEnabled")
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_LEFT_OUT = frozenset(
    (f"{W}del", f"{W}moveFrom", f"{W}pPr", f"{W}rPr", f"{W}instrText", f"{W}delText", f"{_MC}Fallback", f"{W}tblPr")
)
_CHARACTERS = {
    f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": " ",
}  # fmt: skip
_CONTAINERS = frozenset(
    (f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}moveTo", f"{W}customXml", f"{W}smartTag", f"{_MC}AlternateContent",
     f"{_MC}Choice")
)  # fmt: skip


class DocxParser:
    name: ClassVar[str] = "docx"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )
    extensions: ClassVar[tuple[str, ...]] = (".docx", ".docm", ".dotx")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if data.startswith(_OLE):
            raise DocumentEncrypted
        package = Package(data, context.limits)
        package.refuse_dtds()
        main = _main_part(package)
        folder = main.rpartition("/")[0]
        styles = Styles(package.xml(f"{folder}/styles.xml") if f"{folder}/styles.xml" in package.names else None)
        body = package.xml(main).find(f"{W}body")
        if body is None:
            raise DocumentDamaged("The file is damaged: it has no document body.")
        walker = _Walker(styles, context.limits.cells)
        walker.body(body)
        for name in ("footnotes", "endnotes"):
            if f"{folder}/{name}.xml" in package.names:
                walker.notes(package.xml(f"{folder}/{name}.xml"))
        return walker.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=_title(package) or walker.title,
        )


def _main_part(package: Package) -> str:
    """The document part: by content type, since some producers do not call it word/document.xml."""
    if "[Content_Types].xml" in package.names:
        for override in package.xml("[Content_Types].xml"):
            if _MAIN_TYPES.search(override.get("ContentType") or ""):
                name = (override.get("PartName") or "").lstrip("/")
                if name in package.names:
                    return name
    return "word/document.xml"


def _title(package: Package) -> str | None:
    if "docProps/core.xml" not in package.names:
        return None
    return package.xml("docProps/core.xml").findtext(f"{_DC}title") or None


class _Walker:
    def __init__(self, styles: Styles, max_cells: int) -> None:
        self.builder = TextBuilder()
        self.title: str | None = None
        self._styles = styles
        self._cells_left = max_cells

    def body(self, parent: _Element) -> None:
        """Walk paragraphs and tables in document order."""
        for child in _content(parent):
            if child.tag == f"{W}p":
                self._paragraph(child)
            elif child.tag == f"{W}tbl":
                self._table(child)

    def notes(self, root: _Element) -> None:
        for note in root:
            if note.get(f"{W}type") is None:  # separators carry a type
                text = " ".join(filter(None, (paragraph_text(p) for p in note.iter(f"{W}p"))))
                self.builder.add(BlockKind.FOOTNOTE, text)

    def _paragraph(self, paragraph: _Element) -> None:
        text = paragraph_text(paragraph)
        if text:
            kind, level = self._styles.kind_of(paragraph)
            if kind in (BlockKind.HEADING, BlockKind.TITLE):
                text = " ".join(text.split())
            if kind is BlockKind.TITLE and self.title is None:
                self.title = text
            self.builder.add(kind, text, level=level)
        for box in _text_boxes(paragraph):
            self.body(box)

    def _table(self, table: _Element) -> None:
        rows = [row for row in _content(table) if row.tag == f"{W}tr"]
        merged: dict[int, str] = {}
        grid = [_cells(row, merged) for row in rows]
        self._cells_left -= sum(len(cells) for cells in grid)
        if self._cells_left < 0:
            raise DocumentTooLarge("The document has more table cells than are accepted.")
        if max((len(cells) for cells in grid), default=0) <= 1:  # one column: a frame around paragraphs
            for row in rows:
                for cell in _content(row):
                    self.body(cell)
            return
        self.builder.end_table()
        headers = grid.pop(0) if len(grid) > 1 and _looks_like_header(grid[0]) else []
        for number, cells in enumerate(grid, start=2 if headers else 1):
            text, spans = format_row(headers, cells)
            self.builder.add(BlockKind.TABLE_ROW, text, attrs={"row": number}, cells=spans)
        self.builder.end_table()


def _content(parent: _Element) -> Iterator[_Element]:
    """The children, with wrappers (content controls, insertions) opened and deletions left out."""
    stack = list(reversed(parent))
    while stack:
        child = stack.pop()
        if child.tag in _CONTAINERS:
            stack.extend(reversed(child))
        elif child.tag not in _LEFT_OUT:
            yield child


def _is_hidden(run: _Element) -> bool:
    properties = run.find(f"{W}rPr")
    vanish = properties.find(f"{W}vanish") if properties is not None else None
    return vanish is not None and attribute(vanish, "val") not in ("0", "false", "off")


def paragraph_text(paragraph: _Element) -> str:
    """The visible text of a paragraph: insertions kept, deletions, hidden runs and text boxes left out."""
    parts: list[str] = []
    stack = list(reversed(paragraph))
    while stack:
        node = stack.pop()
        tag = node.tag
        if tag == f"{W}t":
            parts.append(node.text or "")
        elif tag in _CHARACTERS:
            parts.append(_CHARACTERS[tag])
        elif tag in _LEFT_OUT or tag == f"{W}txbxContent" or (tag == f"{W}r" and _is_hidden(node)):
            continue
        else:
            stack.extend(reversed(node))
    lines = (" ".join(line.split(" ")).strip() for line in "".join(parts).split("\n"))
    return "\n".join(filter(None, lines)).replace("\0", "")


def _text_boxes(paragraph: _Element) -> Iterator[_Element]:
    """The outermost text boxes anchored in the paragraph; a fallback repeats its choice and is left out."""
    stack = list(reversed(paragraph))
    while stack:
        node = stack.pop()
        if node.tag == f"{W}txbxContent":
            yield node
        elif node.tag not in _LEFT_OUT:
            stack.extend(reversed(node))


def _cells(row: _Element, merged: dict[int, str]) -> list[str]:
    """The texts of the cells of one row; columns a cell spans beyond its first are empty.

    ``merged`` keeps the text of vertically merged cells by column, so that each row repeats it.
    """
    texts: list[str] = []
    for cell in _content(row):
        if cell.tag != f"{W}tc":
            continue
        text = " ".join(" ".join(filter(None, (paragraph_text(p) for p in cell.iter(f"{W}p")))).split())
        merge = cell.find(f"{W}tcPr/{W}vMerge")
        if merge is not None and attribute(merge, "val") != "restart":
            text = text or merged.get(len(texts), "")
        else:
            merged[len(texts)] = text if merge is not None else ""
        span = cell.find(f"{W}tcPr/{W}gridSpan")
        value = attribute(span, "val") if span is not None else "1"
        texts += [text] + [""] * (min(int(value), 100) - 1 if value.isdecimal() else 0)
    return texts


def _looks_like_header(cells: list[str]) -> bool:
    """Every column is named, briefly and not by a bare number."""
    return all(cell and len(cell) <= 80 and not cell.replace(".", "").isdigit() for cell in cells)
