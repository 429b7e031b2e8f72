"""Presentations: slides in the order of the show, each with its tables, charts, speaker notes and comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.formats import PPTX
from knowledge.parsing.office import HIDDEN_SLIDE, OLE, Notices
from knowledge.parsing.ooxml import Package
from knowledge.parsing.ooxml_chart import C, add_chart
from knowledge.parsing.ooxml_diagram import DGM, diagram_texts
from knowledge.parsing.ooxml_parts import (
    A,
    R,
    Relationship,
    core_title,
    drawing_text,
    drawing_texts,
    main_part,
    relationships,
)
from knowledge.parsing.pptx_comments import authors, comments
from knowledge.parsing.pptx_layout import FURNITURE, TITLES, Layout, P, placeholder_of, read_layout
from knowledge.parsing.pptx_shapes import description, is_hidden, shapes
from knowledge.parsing.pptx_text import add_body, add_slide_table
from knowledge.parsing.tables import CellBudget
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAIN_TYPES = re.compile(
    r"presentationml\.(presentation|template|slideshow)\.main\+xml|"
    r"ms-powerpoint\.(presentation|template|slideshow)\.macroEnabled"
)
_DEFAULT_TITLE = re.compile(r"(?=.*powerpoint)(?=.*pr[eéä]sent)[\w-]+(\s[\w-]+){0,2}$", re.IGNORECASE)
_NO_NOTES: Final = FURNITURE | {"sldImg"}
_HIDDEN_SHAPE: Final = "Hidden shapes were left out: {slides}."
_UNREADABLE: Final = "A part that is damaged or missing could not be read: {slides}."
_REPEATED: Final = "A part that the file uses more than once was read once: {slides}."
_EMBEDDED: Final = "An embedded object was left out: {slides}."


class PptxParser:
    name: ClassVar[str] = "pptx"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (PPTX,)
    extensions: ClassVar[tuple[str, ...]] = (".pptx", ".pptm", ".ppsx", ".potx")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if data.startswith(OLE):
            raise DocumentEncrypted
        package = Package(data, context.limits)
        package.refuse_dtds()
        main = main_part(package, _MAIN_TYPES, "ppt/presentation.xml")
        listed = package.xml(main).findall(f"{P}sldIdLst/{P}sldId")
        if len(listed) > context.limits.pages:
            raise DocumentTooLarge(
                f"The presentation has {len(listed):,} slides; at most {context.limits.pages:,} are accepted."
            )
        if not listed:
            raise DocumentWithoutText("The presentation has no slides.")
        related = relationships(package, main)
        deck = _Deck(package, context.limits, authors(package, related))
        by_id = {found.id: found.target for found in related}
        for number, entry in enumerate(listed, start=1):
            deck.slide(number, by_id.get(entry.get(f"{R}id") or ""))
        if not deck.slides_read:
            raise DocumentDamaged("The file is damaged: none of its slides can be read.")
        title = core_title(package)
        return deck.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=PPTX,
            title=deck.title if not title or _DEFAULT_TITLE.match(title.strip()) else title,
            warnings=deck.notices.sentences(),
        )


class _Deck:
    """Reads slides one after the other into a builder. Every part is read once, however often it is referred to."""

    def __init__(self, package: Package, limits: ParseLimits, names: Mapping[str, str]) -> None:
        self.builder = TextBuilder()
        self.notices = Notices()
        self.title: str | None = None  # of the first slide that has one
        self.slides_read = 0
        self._package = package
        self._budget = CellBudget(limits.cells)
        self._authors = names
        self._layouts: dict[str, Layout] = {}
        self._read: set[str] = set()
        self._number = 0
        self._related: dict[str, Relationship] = {}
        self._attrs: dict[str, Any] = {}

    def slide(self, number: int, part: str | None) -> None:
        """Append a slide; one that cannot be read stays as a page without text."""
        self._number = number
        self._attrs = {}
        self.builder.begin_page()
        self.builder.leave_headings()
        root = self._part(part)
        if root is None or part is None:
            return
        self.slides_read += 1
        related = self._relationships(part)
        self._related = {found.id: found for found in related}
        if root.get("show") in ("0", "false"):
            self._attrs["hidden"] = True
            self.notices.add(HIDDEN_SLIDE, number)
        tree = root.find(f"{P}cSld/{P}spTree")
        if tree is not None:
            self._shapes(tree, self._layout(related))
        for found in related:
            if found.kind == "notesSlide":
                self._notes(self._part(found.target))
        for found in related:
            if found.kind == "comments" and (listed := self._part(found.target)) is not None:
                for text in comments(listed, self._authors):
                    self.builder.add(BlockKind.NOTE, text, attrs=self._attrs)

    def _part(self, name: str | None) -> _Element | None:
        if name is None:
            self.notices.add(_UNREADABLE, self._number)
            return None
        if name in self._read:
            self.notices.add(_REPEATED, self._number)
            return None
        self._read.add(name)
        try:
            return self._package.xml(name)
        except DocumentDamaged:
            self.notices.add(_UNREADABLE, self._number)
            return None

    def _relationships(self, part: str) -> tuple[Relationship, ...]:
        try:
            return relationships(self._package, part)
        except DocumentDamaged:
            self.notices.add(_UNREADABLE, self._number)
            return ()

    def _layout(self, related: tuple[Relationship, ...], kind: str = "slideLayout") -> Layout:
        """What the placeholders of a slide inherit; nothing where layout or master cannot be read."""
        name = next((found.target for found in related if found.kind == kind), None)
        if name is None:
            return Layout()
        if name not in self._layouts:
            self._layouts[name] = Layout()
            root = self._part(name)
            if root is not None:
                above = kind == "slideLayout"
                master = self._layout(self._relationships(name), "slideMaster") if above else None
                self._layouts[name] = read_layout(root, master)
        return self._layouts[name]

    def _shapes(self, tree: _Element, layout: Layout) -> None:
        ordered = []
        for shape in shapes(tree, layout):
            if is_hidden(shape):
                self.notices.add(_HIDDEN_SHAPE, self._number)
            else:
                ordered.append((shape, (placeholder_of(shape) or ("", ""))[0]))
        start = len(self.builder)
        title = next((shape for shape, kind in ordered if kind in TITLES and _has_text(shape)), None)
        if title is not None:
            self._title(title)
        for shape, kind in ordered:
            if shape is not title and kind not in FURNITURE:
                self._shape(shape, layout)
        if len(self.builder) == start:
            for shape, _ in ordered:
                if shape.tag == f"{P}pic":
                    self.builder.add(BlockKind.CAPTION, description(shape), attrs={**self._attrs, "alternative": True})
        for shape, kind in ordered:
            if kind in FURNITURE and shape is not title:
                for text in drawing_texts(shape):
                    self.builder.add(BlockKind.FURNITURE, text, attrs=self._attrs)

    def _title(self, shape: _Element) -> None:
        text = " ".join(" ".join(drawing_texts(shape)).split())
        self.title = self.title or text
        self.builder.add(BlockKind.HEADING, text, level=1, attrs=self._attrs)

    def _shape(self, shape: _Element, layout: Layout) -> None:
        body = shape.find(f"{P}txBody")
        if body is not None:
            add_body(self.builder, shape, body, layout, self._attrs)
        if shape.tag == f"{P}graphicFrame":
            self._graphic(shape)

    def _graphic(self, frame: _Element) -> None:
        graphic = frame.find(f"{A}graphic/{A}graphicData")
        if graphic is None:
            return
        if (table := graphic.find(f"{A}tbl")) is not None:
            add_slide_table(self.builder, table, self._budget, self._attrs)
        elif (chart := graphic.find(f"{C}chart")) is not None:
            root = self._part(self._target(chart.get(f"{R}id")))
            if root is not None:
                add_chart(self.builder, root, self._budget, self._attrs)
        elif (diagram := graphic.find(f"{DGM}relIds")) is not None:
            root = self._part(self._target(diagram.get(f"{R}dm")))
            for text in diagram_texts(root) if root is not None else ():
                self.builder.add(BlockKind.LIST_ITEM, text, attrs=self._attrs)
        else:
            self.notices.add(_EMBEDDED, self._number)

    def _target(self, identifier: str | None) -> str | None:
        found = self._related.get(identifier or "")
        return found.target if found else None

    def _notes(self, root: _Element | None) -> None:
        tree = root.find(f"{P}cSld/{P}spTree") if root is not None else None
        for shape in shapes(tree, Layout()) if tree is not None else ():
            kind = (placeholder_of(shape) or ("", ""))[0]
            for paragraph in shape.iter(f"{A}p") if kind not in _NO_NOTES else ():
                self.builder.add(BlockKind.NOTE, drawing_text(paragraph), attrs=self._attrs)


def _has_text(shape: _Element) -> bool:
    return bool(drawing_texts(shape))
