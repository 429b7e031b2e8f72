"""OpenDocument texts: the body in document order, tracked deletions left out, footnotes at the end."""

from __future__ import annotations

from typing import ClassVar

from knowledge.parsing.base import ParseContext
from knowledge.parsing.formats import ODT
from knowledge.parsing.odf import STYLE, OpenDocument, body_of, text_of
from knowledge.parsing.odf_blocks import OdfWalker
from knowledge.types import BlockKind, ParsedDocument

_FURNITURE = tuple(
    f"{STYLE}{place}{pages}" for place in ("header", "footer") for pages in ("", "-left", "-first")
)  # fmt: skip


class OdtParser:
    name: ClassVar[str] = "odt"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (ODT,)
    extensions: ClassVar[tuple[str, ...]] = (".odt", ".ott")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        from knowledge.parsing.registry import parser_for

        document = OpenDocument(data, context.limits)
        content = document.content()
        kind, body = body_of(content)
        if kind != ODT:  # a package without its type is taken for a text until it is opened
            return parser_for(kind).parse(data, context)
        walker = OdfWalker(document, content, context.limits.cells)
        walker.walk(*body)
        walker.add_footnotes()
        _add_furniture(walker)
        return walker.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=ODT,
            title=document.title() or walker.title,
            warnings=tuple(walker.warnings),
        )


def _add_furniture(walker: OdfWalker) -> None:
    """Append the headers and footers of all page styles, equal ones once."""
    texts = dict.fromkeys(text_of(found) for root in walker.roots[1:] for found in root.iter(*_FURNITURE))
    for text in texts:
        walker.builder.add(BlockKind.FURNITURE, text)
