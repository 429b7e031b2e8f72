"""Walks the content of OpenDocument files into blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from knowledge.errors import DocumentDamaged
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.odf import (
    DRAW,
    MATHML,
    OFFICE,
    STYLE,
    SVG,
    TABLE,
    TEXT,
    XLINK,
    Inline,
    OpenDocument,
    comment,
    equation,
    hidden_styles,
    inline,
    paragraphs,
)
from knowledge.parsing.odf_lists import Levels, OpenList, list_styles, small
from knowledge.parsing.odf_tables import read_grid
from knowledge.parsing.office import HIDDEN_TEXT, said
from knowledge.parsing.tables import CellBudget, add_table
from knowledge.types import BlockKind

if TYPE_CHECKING:
    from lxml.etree import _Element

EMBEDDED: Final = "An embedded object was left out."
_CHART: Final = "{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}"
_XML_ID: Final = "{http://www.w3.org/XML/1998/namespace}id"
_SKIPPED: Final = frozenset(
    (f"{TEXT}tracked-changes", f"{OFFICE}forms", f"{OFFICE}scripts", f"{TEXT}sequence-decls", f"{TEXT}variable-decls",
     f"{TEXT}user-field-decls", f"{TEXT}dde-connection-decls", f"{DRAW}image", f"{SVG}title", f"{SVG}desc")
)  # fmt: skip
_INDEX_DEFINITION: Final = "-source"  # how an index is made, beside what it shows
_KINDS: Final = {
    "Title": BlockKind.TITLE, "Caption": BlockKind.CAPTION, "Illustration": BlockKind.CAPTION,
    "Table": BlockKind.CAPTION, "Drawing": BlockKind.CAPTION, "Figure": BlockKind.CAPTION,
}  # fmt: skip
_LONGEST_CHAIN: Final = 20

Stack = list[tuple["_Element", OpenList | None]]


class OdfWalker:
    """Appends blocks to its builder in document order. Footnotes wait until ``add_footnotes``."""

    def __init__(self, document: OpenDocument, content: _Element, max_cells: int) -> None:
        self.builder = TextBuilder()
        self.title: str | None = None
        self.warnings: dict[str, None] = {}  # a set that keeps its order
        self.attrs: Mapping[str, Any] = {}
        self.roots = document.styles(content)
        self._document = document
        self._hidden = hidden_styles(self.roots)
        self._lists = list_styles(self.roots)
        self._parents = _paragraph_styles(self.roots)
        self._budget = CellBudget(max_cells)
        self._footnotes: list[_Element] = []
        self._numbered: dict[str, OpenList] = {}  # by style and level or by id: what a list may continue
        self._objects: set[str] = set()

    def walk(self, *elements: _Element) -> None:
        """Append what the elements hold, one after the other, without recursion."""
        stack: Stack = [(element, None) for element in reversed(elements)]
        while stack:
            node, within = stack.pop()
            tag = str(node.tag)
            if tag in (f"{TEXT}p", f"{TEXT}h"):
                stack += [(box, None) for box in reversed(self._paragraph(node, within).boxes)]
            elif tag == f"{TABLE}table":
                stack += [(box, None) for box in reversed(self._table(node))]
            elif tag == f"{OFFICE}annotation":
                self.comments([node])
            elif tag == f"{DRAW}object":
                self._object(node.get(f"{XLINK}href") or "", node)
            elif tag == f"{TEXT}section" and node.get(f"{TEXT}display") == "none":
                self.warnings[HIDDEN_TEXT] = None
            elif tag not in _SKIPPED and not tag.endswith(_INDEX_DEFINITION):
                if tag == f"{TEXT}list":
                    within = self._open_list(node, within)
                elif tag in (f"{TEXT}list-item", f"{TEXT}list-header") and within is not None:
                    start = node.get(f"{TEXT}start-value")
                    within.begin_item(small(start, 1) if start else None, counted=tag == f"{TEXT}list-item")
                stack += [(child, within) for child in reversed(_shown(node))]

    def inline(self, paragraph: _Element) -> Inline:
        """Read a paragraph, note what is hidden in it and keep its footnotes for the end."""
        found = inline(paragraph, self._hidden)
        if found.hidden:
            self.warnings[HIDDEN_TEXT] = None
        self._footnotes += found.notes
        return found

    def _paragraph(self, paragraph: _Element, within: OpenList | None) -> Inline:
        found = self.inline(paragraph)
        if found.text:
            kind, level = self._kind(paragraph, within)
            text = found.text
            if kind in (BlockKind.HEADING, BlockKind.TITLE):
                text = " ".join(text.split())
            elif within is not None and (number := within.take_number()):
                text = f"{number} {text}"
            if kind is BlockKind.TITLE:
                self.title = self.title or text
            self.builder.add(kind, text, level=level, attrs=self.attrs)
        self.comments(found.comments)
        return found

    def _kind(self, paragraph: _Element, within: OpenList | None) -> tuple[BlockKind, int | None]:
        if paragraph.tag == f"{TEXT}h":
            return BlockKind.HEADING, min(max(small(paragraph.get(f"{TEXT}outline-level"), 1), 1), 10)
        if within is not None:
            return (BlockKind.LIST_ITEM if within.shown else BlockKind.PARAGRAPH), None
        style = paragraph.get(f"{TEXT}style-name") or ""
        for _ in range(_LONGEST_CHAIN):  # a chain may be a circle
            if style in _KINDS:
                return _KINDS[style], None
            style = self._parents.get(style, "")
        return BlockKind.PARAGRAPH, None

    def _open_list(self, node: _Element, outer: OpenList | None) -> OpenList:
        name = node.get(f"{TEXT}style-name")
        levels: Levels = self._lists.get(name, {}) if name else (outer.levels if outer else {})
        opened = OpenList(levels, outer.depth + 1 if outer else 1, outer)
        key = f"{opened.depth} {name or ''}"
        before = None
        if node.get(f"{TEXT}continue-numbering") == "true":
            before = self._numbered.get(key)
        elif (continued := node.get(f"{TEXT}continue-list")) is not None:
            before = self._numbered.get(f"#{continued}")
        if before is not None:
            opened.last = before.last
        self._numbered[key] = self._numbered[f"#{node.get(_XML_ID)}"] = opened
        return opened

    def _table(self, table: _Element) -> list[_Element]:
        """Append a table and the comments in it; return what is anchored in its cells."""
        met: list[Inline] = []

        def text(cell: _Element) -> str:
            read = [self.inline(paragraph) for paragraph in paragraphs(cell)]
            met.extend(found for found in read if found.comments or found.boxes)
            return " ".join(filter(None, (found.text for found in read)))

        grid = read_grid(table, self._budget, text)
        if grid.rows:
            add_table(self.builder, grid.rows, marked=grid.marked, attrs=self.attrs)
        self.comments([one for found in met for one in found.comments])
        return [box for found in met for box in found.boxes]

    def comments(self, annotations: list[_Element]) -> None:
        """Append comments, marked with their authors."""
        for annotation in annotations:
            author, text = comment(annotation)
            if text:
                self.builder.add(BlockKind.NOTE, said(author, text), attrs=self.attrs)

    def _object(self, reference: str, node: _Element) -> None:
        """Append an equation, a chart or the tables of an embedded object, each object once."""
        root = node[0] if len(node) else None  # written in place
        if root is None and reference not in self._objects:
            try:
                root = self._document.embedded(reference)
            except DocumentDamaged:
                root = None
        self._objects.add(reference)
        if root is None:
            self.warnings[EMBEDDED] = None
        elif root.tag == f"{MATHML}math":
            self.builder.add(BlockKind.PARAGRAPH, equation(root), attrs=self.attrs)
        else:
            for title in root.iter(f"{_CHART}title", f"{_CHART}subtitle"):
                for paragraph in paragraphs(title):
                    self.builder.add(BlockKind.CAPTION, self.inline(paragraph).text, attrs=self.attrs)
            tables = list(root.iter(f"{TABLE}table"))
            for table in tables:
                self._table(table)
            if not tables:
                self.warnings[EMBEDDED] = None

    def add_footnotes(self) -> None:
        """Append the footnotes and endnotes met so far, with the comments in them."""
        for note in self._footnotes:  # grows where a note has a note
            body = note.find(f"{TEXT}note-body")
            read = [self.inline(paragraph) for paragraph in paragraphs(body)] if body is not None else []
            text = " ".join(" ".join(found.text for found in read).split())
            self.builder.add(BlockKind.FOOTNOTE, text, attrs=self.attrs)
            self.comments([one for found in read for one in found.comments])
        self._footnotes = []


def _shown(node: _Element) -> list[_Element]:
    """The children; of a frame the one that is shown, since the others stand for it in other programs."""
    if node.tag != f"{DRAW}frame":
        return list(node)
    for name in (f"{DRAW}text-box", f"{TABLE}table", f"{DRAW}object"):
        if (found := node.find(name)) is not None:
            return [found]
    return [child for child in node if child.tag != f"{DRAW}object-ole"]


def _paragraph_styles(roots: tuple[_Element, ...]) -> dict[str, str]:
    """The parent of every paragraph style, by name."""
    return {
        style.get(f"{STYLE}name") or "": style.get(f"{STYLE}parent-style-name") or ""
        for root in reversed(roots)
        for style in root.iter(f"{STYLE}style")
        if style.get(f"{STYLE}family") == "paragraph"
    }
