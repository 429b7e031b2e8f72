"""Turns the content of a Word document into blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.docx_numbering import Numbering
from knowledge.parsing.docx_styles import Styles, W, attribute
from knowledge.parsing.docx_text import Paragraph, content, paragraphs, read_paragraph
from knowledge.parsing.office import HIDDEN_TEXT, said
from knowledge.parsing.ooxml_chart import C, add_chart
from knowledge.parsing.ooxml_diagram import DGM, diagram_texts
from knowledge.parsing.ooxml_parts import R
from knowledge.parsing.tables import CellBudget, Row, add_table
from knowledge.types import BlockKind

if TYPE_CHECKING:
    from lxml.etree import _Element

_EMBEDDED: Final = "An embedded document was left out."
_WIDEST_SPAN: Final = 100


class Walker:
    """Appends blocks to its builder. ``part`` gives the part with an id: each once, None when it cannot be read."""

    def __init__(
        self,
        styles: Styles,
        numbering: Numbering,
        *,
        comments: dict[str, _Element],
        part: Callable[[str], _Element | None],
        max_cells: int,
    ) -> None:
        self.builder = TextBuilder()
        self.title: str | None = None
        self.warnings: dict[str, None] = {}  # a set that keeps its order
        self._styles = styles
        self._numbering = numbering
        self._comments = comments
        self._part = part
        self._budget = CellBudget(max_cells)
        self._furniture: set[str] = set()

    def body(self, parent: _Element) -> None:
        """Append paragraphs and tables in document order."""
        for child in content(parent):
            if child.tag == f"{W}p":
                self._paragraph(child)
            elif child.tag == f"{W}tbl":
                self._table(child)
            elif child.tag == f"{W}altChunk":
                self.warnings[_EMBEDDED] = None

    def notes(self, root: _Element) -> None:
        """Append footnotes or endnotes."""
        for note in root:
            if attribute(note, "type") in ("", "normal"):  # separators carry another type
                read = [self._read(paragraph) for paragraph in paragraphs(note)]
                self.builder.add(BlockKind.FOOTNOTE, " ".join(filter(None, (found.text for found in read))))
                self._add_comments(read)

    def furniture(self, root: _Element) -> None:
        """Append a header or footer unless an equal one was there."""
        text = "\n".join(filter(None, (self._read(paragraph).text for paragraph in paragraphs(root))))
        if text not in self._furniture:
            self._furniture.add(text)
            self.builder.add(BlockKind.FURNITURE, text)

    def unanchored_comments(self) -> None:
        """Append the comments that no paragraph refers to."""
        for identifier in list(self._comments):
            self._add_comment(identifier)

    def _read(self, paragraph: _Element) -> Paragraph:
        found = read_paragraph(paragraph, self._styles)
        if found.hidden:
            self.warnings[HIDDEN_TEXT] = None
        return found

    def _paragraph(self, paragraph: _Element) -> None:
        found = self._read(paragraph)
        number = self._numbering.before(paragraph) if found.text or not _is_deleted(paragraph) else ""
        if found.text:
            kind, level = self._styles.kind_of(paragraph)
            text = found.text
            if kind in (BlockKind.HEADING, BlockKind.TITLE):
                text = " ".join(text.split())
            if kind is BlockKind.TITLE and self.title is None:
                self.title = text
            self.builder.add(kind, f"{number} {text}" if number else text, level=level)
        self._add_comments([found])
        self._add_anchored(found)

    def _add_anchored(self, found: Paragraph) -> None:
        for graphic in found.graphics:
            chart, diagram = graphic.find(f"{C}chart"), graphic.find(f"{DGM}relIds")
            if chart is not None and (root := self._part(chart.get(f"{R}id") or "")) is not None:
                add_chart(self.builder, root, self._budget, {})
            elif diagram is not None and (root := self._part(diagram.get(f"{R}dm") or "")) is not None:
                for text in diagram_texts(root):
                    self.builder.add(BlockKind.LIST_ITEM, text)
        for box in found.boxes:
            self.body(box)

    def _add_comments(self, read: list[Paragraph]) -> None:
        for found in read:
            for identifier in found.comments:
                self._add_comment(identifier)

    def _add_comment(self, identifier: str) -> None:
        """Append a comment where it is referred to first."""
        comment = self._comments.pop(identifier, None)
        if comment is not None:
            text = "\n".join(filter(None, (self._read(paragraph).text for paragraph in paragraphs(comment))))
            if text:
                self.builder.add(BlockKind.NOTE, said(attribute(comment, "author"), text))

    def _table(self, table: _Element) -> None:
        rows = [row for row in content(table) if row.tag == f"{W}tr" and row.find(f"{W}trPr/{W}del") is None]
        if all(_columns(row) <= 1 for row in rows):  # a frame around paragraphs
            for row in rows:
                for cell in content(row):
                    self.body(cell)
            return
        merged: dict[int, str] = {}
        met: list[Paragraph] = []
        grid = [self._cells(row, merged, met) for row in rows]
        add_table(self.builder, grid, marked=rows[0].find(f"{W}trPr/{W}tblHeader") is not None)
        self._add_comments(met)
        for found in met:
            self._add_anchored(found)

    def _cells(self, row: _Element, merged: dict[int, str], met: list[Paragraph]) -> Row:
        """The texts of the cells of one row; columns a cell spans beyond its first are None.

        ``merged`` keeps the text of vertically merged cells by column, so that each row repeats it.
        ``met`` receives the paragraphs that have something anchored.
        """
        texts: Row = [None] * _span(row.find(f"{W}trPr/{W}gridBefore"), 0)
        for cell in content(row):
            if cell.tag != f"{W}tc":
                continue
            text = self._cell(cell, met)
            merge = cell.find(f"{W}tcPr/{W}vMerge")
            if merge is not None and attribute(merge, "val") != "restart":
                text = text or merged.get(len(texts), "")
            else:
                merged[len(texts)] = text if merge is not None else ""
            span = _span(cell.find(f"{W}tcPr/{W}gridSpan"), 1)
            self._budget.pay(text)
            self._budget.pay(times=span - 1)
            texts += [text, *[None] * (span - 1)]
        return texts

    def _cell(self, cell: _Element, met: list[Paragraph]) -> str:
        parts: list[str] = []
        for paragraph in paragraphs(cell):
            found = self._read(paragraph)
            parts += (self._numbering.before(paragraph), found.text)
            if found.comments or found.boxes or found.graphics:
                met.append(found)
        return " ".join(" ".join(parts).split())


def _columns(row: _Element) -> int:
    cells = (cell for cell in content(row) if cell.tag == f"{W}tc")
    return sum(_span(cell.find(f"{W}tcPr/{W}gridSpan"), 1) for cell in cells)


def _span(element: _Element | None, default: int) -> int:
    value = attribute(element, "val") if element is not None else ""
    return min(int(value), _WIDEST_SPAN) if value.isdecimal() and len(value) < 7 and int(value) else default


def _is_deleted(paragraph: _Element) -> bool:
    """Whether the end of the paragraph is deleted under change tracking: it then joins the next one."""
    return paragraph.find(f"{W}pPr/{W}rPr/{W}del") is not None
