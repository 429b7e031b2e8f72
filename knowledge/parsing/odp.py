"""OpenDocument presentations: slides with tables, speaker notes and comments; what the master shows is left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from knowledge.errors import DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.formats import ODP
from knowledge.parsing.odf import DRAW, OFFICE, PRESENTATION, STYLE, SVG, OpenDocument, body_of, paragraphs, text_of
from knowledge.parsing.odf_blocks import OdfWalker
from knowledge.parsing.office import HIDDEN_SLIDE, Notices
from knowledge.parsing.reading_order import EMU_PER_INCH, Position, in_reading_order
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element

_LENGTH = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?)(cm|mm|in|pt|pc|px)$")
_MOVED = re.compile(r"translate\s*\(\s*(\S{1,20})\s+(\S{1,20})\s*\)")
_UNITS: Final = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72, "pc": 1 / 6, "px": 1 / 96}  # in inches
_FURNITURE: Final = frozenset(("footer", "header", "date-time", "page-number"))
_GROUPS: Final = frozenset((f"{DRAW}g", f"{DRAW}a"))


class OdpParser:
    name: ClassVar[str] = "odp"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (ODP,)
    extensions: ClassVar[tuple[str, ...]] = (".odp", ".otp")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        from knowledge.parsing.registry import parser_for

        document = OpenDocument(data, context.limits)
        content = document.content()
        kind, body = body_of(content)
        if kind != ODP:
            return parser_for(kind).parse(data, context)
        pages = body.findall(f"{DRAW}page")
        if len(pages) > context.limits.pages:
            raise DocumentTooLarge(
                f"The presentation has {len(pages):,} slides; at most {context.limits.pages:,} are accepted."
            )
        if not pages:
            raise DocumentWithoutText("The presentation has no slides.")
        deck = _Deck(OdfWalker(document, content, context.limits.cells))
        for number, page in enumerate(pages, start=1):
            deck.slide(number, page)
        return deck.walker.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=ODP,
            title=document.title() or deck.title,
            warnings=(*deck.notices.sentences(), *deck.walker.warnings),
        )


class _Deck:
    def __init__(self, walker: OdfWalker) -> None:
        self.walker = walker
        self.notices = Notices()
        self.title: str | None = None  # of the first slide that has one
        self._hidden = _hidden_pages(walker.roots)

    def slide(self, number: int, page: _Element) -> None:
        builder = self.walker.builder
        builder.begin_page()
        builder.leave_headings()
        self.walker.attrs = {}
        if page.get(f"{DRAW}style-name") in self._hidden:
            self.walker.attrs = {"hidden": True}
            self.notices.add(HIDDEN_SLIDE, number)
        ordered = _shapes(page)
        title = next((shape for shape in ordered if _class(shape) == "title" and text_of(shape)), None)
        if title is not None:
            self._title(title)
        for shape in ordered:
            if shape is not title and _class(shape) not in _FURNITURE:
                self.walker.walk(shape)
        self.walker.add_footnotes()
        for shape in ordered:
            if _class(shape) in _FURNITURE:
                builder.add(BlockKind.FURNITURE, text_of(shape), attrs=self.walker.attrs)
        for notes in page.iterfind(f"{PRESENTATION}notes"):
            self._notes(notes)
        self.walker.comments(page.findall(f"{OFFICE}annotation"))

    def _title(self, shape: _Element) -> None:
        read = [self.walker.inline(paragraph) for paragraph in paragraphs(shape)]
        text = " ".join(" ".join(found.text for found in read).split())
        self.title = self.title or text
        self.walker.builder.add(BlockKind.HEADING, text, level=1, attrs=self.walker.attrs)
        self.walker.comments([one for found in read for one in found.comments])

    def _notes(self, notes: _Element) -> None:
        for shape in notes:
            for paragraph in paragraphs(shape) if _class(shape) not in _FURNITURE else ():
                found = self.walker.inline(paragraph)
                self.walker.builder.add(BlockKind.NOTE, found.text, attrs=self.walker.attrs)
                self.walker.comments(found.comments)


def _class(shape: _Element) -> str:
    return shape.get(f"{PRESENTATION}class") or ""


def _hidden_pages(roots: tuple[_Element, ...]) -> frozenset[str]:
    """The names of the page styles that keep a slide out of the show."""
    return frozenset(
        style.get(f"{STYLE}name") or ""
        for root in roots
        for style in root.iter(f"{STYLE}style")
        for properties in style.iterfind(f"{STYLE}drawing-page-properties")
        if properties.get(f"{PRESENTATION}visibility") == "hidden"
    )


def _shapes(page: _Element) -> list[_Element]:
    """The shapes in reading order. A group is read as a whole before what stands beside it."""
    corners = _corners(page)

    def placed(parent: _Element) -> list[_Element]:
        drawn = [child for child in parent if str(child.tag).startswith(DRAW)]
        return in_reading_order([(corners.get(child), child) for child in drawn])[::-1]

    found: list[_Element] = []
    stack = placed(page)
    while stack:
        shape = stack.pop()
        if shape.tag in _GROUPS:
            stack += placed(shape)
        else:
            found.append(shape)
    return found


def _corners(page: _Element) -> dict[_Element, Position]:
    """The upper left corners of shapes and groups; that of a group is the outermost of what it holds."""
    corners: dict[_Element, Position] = {}
    for node in reversed(list(page.iter())):  # from the inside to the outside
        own = corners.get(node) or _corner(node)
        if own is None:
            continue
        corners[node] = own
        parent = node.getparent()
        if parent is not None and parent.tag in _GROUPS:
            known = corners.get(parent, own)
            corners[parent] = (min(known[0], own[0]), min(known[1], own[1]))
    return corners


def _corner(shape: _Element) -> Position | None:
    moved = _MOVED.search((shape.get(f"{DRAW}transform") or "")[:500])
    x, y = moved.groups() if moved else (shape.get(f"{SVG}x"), shape.get(f"{SVG}y"))
    across, down = _inches(x), _inches(y)
    return (across * EMU_PER_INCH, down * EMU_PER_INCH) if across is not None and down is not None else None


def _inches(length: str | None) -> float | None:
    found = _LENGTH.match((length or "").strip())
    return float(found.group(1)) * _UNITS[found.group(2)] if found else None
