"""Word documents: the body in document order, tracked deletions left out, footnotes at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentEncrypted
from knowledge.parsing.base import ParseContext
from knowledge.parsing.docx_blocks import Walker
from knowledge.parsing.docx_numbering import Numbering
from knowledge.parsing.docx_styles import Styles, W, attribute
from knowledge.parsing.formats import DOCX
from knowledge.parsing.office import OLE
from knowledge.parsing.ooxml import Package
from knowledge.parsing.ooxml_parts import R, Relationship, core_title, main_part, relationships
from knowledge.types import ParsedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAIN_TYPES = re.compile(r"wordprocessingml\.(document|template)\.main\+xml|ms-word\.(document|template)\.macroEnabled")
_NOTES: Final = ("footnotes", "endnotes")


class DocxParser:
    name: ClassVar[str] = "docx"
    version: ClassVar[str] = "2"
    media_types: ClassVar[tuple[str, ...]] = (DOCX,)
    extensions: ClassVar[tuple[str, ...]] = (".docx", ".docm", ".dotx")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if data.startswith(OLE):
            raise DocumentEncrypted
        package = Package(data, context.limits)
        package.refuse_dtds()
        main = main_part(package, _MAIN_TYPES, "word/document.xml")
        body = package.xml(main).find(f"{W}body")
        if body is None:
            raise DocumentDamaged("The file is damaged: it has no document body.")
        parts = _Parts(package, main)
        styles = Styles(parts.named("styles"))
        walker = Walker(
            styles,
            Numbering(parts.named("numbering"), styles),
            comments=_comments(parts.named("comments")),
            part=parts.referred,
            max_cells=context.limits.cells,
        )
        walker.body(body)
        for name in _NOTES:
            if (root := parts.named(name)) is not None:
                walker.notes(root)
        walker.unanchored_comments()
        for reference in body.iter(f"{W}headerReference", f"{W}footerReference"):
            if (root := parts.referred(reference.get(f"{R}id") or "")) is not None:
                walker.furniture(root)
        return walker.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=DOCX,
            title=core_title(package) or walker.title,
            warnings=tuple(walker.warnings),
        )


class _Parts:
    """The parts beside the main one, by what they are or by the id that the text refers to them with."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._folder = main.rpartition("/")[0]
        related = relationships(package, main)
        self._by_id: dict[str, Relationship] = {found.id: found for found in related}
        self._by_kind = {found.kind: found.target for found in related}
        self._read: set[str] = set()

    def named(self, kind: str) -> _Element | None:
        """The part of a kind; some producers only give it its usual name."""
        name = self._by_kind.get(kind) or f"{self._folder}/{kind}.xml"
        if name not in self._package.names:
            name = f"{self._folder}/{kind}.xml"
        return self._package.xml(name) if name in self._package.names else None

    def referred(self, identifier: str) -> _Element | None:
        """The part with this id, once; None when it was read before, is missing or damaged."""
        found = self._by_id.get(identifier)
        if found is None or found.target in self._read or found.target not in self._package.names:
            return None
        self._read.add(found.target)
        try:
            return self._package.xml(found.target)
        except DocumentDamaged:
            return None


def _comments(root: _Element | None) -> dict[str, _Element]:
    """Comments by id, in the order of the file."""
    return {attribute(found, "id"): found for found in root.iter(f"{W}comment")} if root is not None else {}
