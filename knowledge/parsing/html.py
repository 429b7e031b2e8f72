"""HTML: the main content as paragraphs, headings, list items and table rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import decode
from knowledge.parsing.html_depth import depth
from knowledge.parsing.html_walker import Walker
from knowledge.types import ParsedDocument

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})")


class HtmlParser:
    name: ClassVar[str] = "html"
    version: ClassVar[str] = "2"
    media_types: ClassVar[tuple[str, ...]] = ("text/html",)
    extensions: ClassVar[tuple[str, ...]] = (".html", ".htm", ".xhtml")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        tree = html_tree(decode_html(data), context.limits)
        title = tree.css_first("head > title") or tree.css_first("title")
        builder = TextBuilder()
        root = _main(tree)
        if root is not None:
            walker = Walker(builder, context.limits.cells, page=True)
            walker.walk(root)
            if not walker.content:  # all of it looked like the header or footer of a page
                builder = TextBuilder()
                Walker(builder, context.limits.cells).walk(root)
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=title.text() if title is not None else None,
        )


def decode_html(data: bytes, *, declared: str | None = None) -> str:
    """Decode a page; ``declared`` is the charset stated outside of it, which goes before its own."""
    stated = _XML_CHARSET.match(data[:1024]) or _CHARSET.search(data[:4096])
    return decode(data, declared=declared or (stated.group(1).decode("ascii") if stated else None))


def html_tree(source: str, limits: ParseLimits) -> LexborHTMLParser:
    """Build the tree.

    :raises DocumentTooLarge: elements nest too deep.
    """
    from selectolax.lexbor import LexborHTMLParser

    if depth(source) > limits.html_depth:
        raise DocumentTooLarge(f"The page nests elements more than {limits.html_depth} deep.")
    return LexborHTMLParser(source)


def add_html(
    builder: TextBuilder,
    source: str,
    limits: ParseLimits,
    *,
    attrs_of: Callable[[LexborNode], Mapping[str, Any] | None] | None = None,
) -> None:
    """Append everything the body of a page shows; ``attrs_of`` gives elements attrs for all blocks below them.

    :raises DocumentTooLarge: elements nest too deep, or there are too many table cells.
    """
    body = html_tree(source, limits).body
    if body is not None:
        Walker(builder, limits.cells, attrs_of=attrs_of).walk(body)


def _main(tree: LexborHTMLParser) -> LexborNode | None:
    """The ``main`` (or only ``article``) element when it holds most of the words, else the body."""
    body = tree.body
    if body is None:
        return None
    candidates = tree.css("main, [role=main]") or tree.css("article")
    if len(candidates) == 1 and len(candidates[0].text()) * 4 > len(body.text()):
        return candidates[0]
    return body
