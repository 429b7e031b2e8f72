"""XML from strangers, read in the worker's own process: no DTD, no entities, no network, a limited depth and number.

Bytes alone limit little: an element of four bytes takes a hundred in memory. So what is built is counted meanwhile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from knowledge.errors import SourceError

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["children", "local", "parse_xml", "text_of"]

_DOCTYPE: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_PROLOG: Final = 64 * 1024
_STEP: Final = 64 * 1024

MOST_ELEMENTS: Final = 500_000
"""Elements and attributes of one document; 50,000 addresses of a sitemap with their dates are half of it."""


def parse_xml(data: bytes, *, what: str) -> _Element:
    """Parse a document; ``what`` names it in the sentences of errors: "The sitemap".

    :raises SourceError: it is not well-formed, declares a DTD, has more than ``MOST_ELEMENTS`` elements and
        attributes, or nests deeper than libxml2's 256.
    """
    from lxml import etree

    # A DTD is looked for before anything is parsed: entities are replaced in attributes whatever the parser is told.
    if _DOCTYPE.search(data[:_PROLOG].replace(b"\0", b"")):
        raise SourceError(f"{what} contains a DTD, which is not accepted.")
    parser = etree.XMLPullParser(
        events=("start",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    built, data = 0, data.lstrip()
    try:
        for at in range(0, len(data), _STEP):
            parser.feed(data[at : at + _STEP])
            built += sum(1 + len(element.attrib) for _, element in parser.read_events())
            if built > MOST_ELEMENTS:
                raise SourceError(f"{what} has more than {MOST_ELEMENTS:,} elements, which is not accepted.")
        root = parser.close()
    except (etree.XMLSyntaxError, ValueError) as err:
        raise SourceError(f"{what} is not valid XML.") from err
    if root.getroottree().docinfo.doctype:
        raise SourceError(f"{what} contains a DTD, which is not accepted.")
    return root


def local(element: _Element) -> str:
    """The name of an element without its namespace, lower case; "" of what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def children(element: _Element, name: str) -> list[_Element]:
    """The children of that name, in any namespace."""
    return [child for child in element if local(child) == name]


def text_of(element: _Element, *names: str) -> str:
    """The text of the first child with one of the names, tried in turn; those without a namespace go first."""
    for name in names:
        for child in sorted(children(element, name), key=lambda child: "}" in str(child.tag)):
            if text := "".join(child.itertext()).strip():
                return text
    return ""
