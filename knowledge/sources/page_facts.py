"""What a web page says about itself and links to, read in one linear pass without building a tree.

The page is read for its text later, by the walled parser. Here, in the process of the worker, only its tags are looked
for, by expressions that never go back, and no page can make this take more than time in proportion to its length.
That is said of pages alone: feeds, sitemaps and listings of buckets are XML, which libxml2 reads in this process too,
under the limits of ``knowledge.sources.xml``.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["PageFacts", "page_digest", "page_facts"]

_TAG: Final = re.compile(r"<(?:(!--)|([!?])|(/?)([a-zA-Z][^\s/>]*+))")
_INSIDE: Final = re.compile(r"(?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+>")
_ATTRIBUTE: Final = re.compile(r"([^\s=>\"'/]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"']*+)))?+")
_LONGEST_TAG = 8000
_LONGEST_TITLE = 300
_MOST_LINKS = 5000
_RAW: Final = frozenset(("script", "style", "textarea", "template", "title", "xmp", "noembed"))
_UNSEEN: Final = frozenset(("script", "style", "template"))
_TELLING: Final = frozenset(("a", "area", "link", "meta", "base", "frame", "iframe"))


@dataclass(slots=True)
class PageFacts:
    title: str = ""
    base: str = ""
    canonical: str = ""
    directives: set[str] = field(default_factory=set)  # of <meta name="robots">
    links: list[str] = field(default_factory=list)  # as written, of those that may be followed

    @property
    def is_hidden(self) -> bool:
        return bool(self.directives & {"noindex", "none"})

    @property
    def keeps_links(self) -> bool:
        return bool(self.directives & {"nofollow", "none"})


def page_facts(source: str) -> PageFacts:
    """Read a page."""
    facts = PageFacts()
    for piece in _pieces(source):
        if piece.tag in _TELLING and not piece.closes:
            _note(facts, piece.tag, _attributes(piece.text))
        elif piece.tag == "title" and not piece.closes and not facts.title:
            facts.title = " ".join(html.unescape(piece.inner[:_LONGEST_TAG]).split())[:_LONGEST_TITLE]
    return facts


def page_digest(source: str) -> str:
    """The fingerprint of what a page shows: its words and its elements, without scripts, comments and attributes.

    Many servers write another token or time into every reply; such a page has not changed for a reader.
    """
    digest = hashlib.sha256()
    for piece in _pieces(source):
        if piece.tag in _UNSEEN:
            continue
        words = f"<{'/' * piece.closes}{piece.tag}>{piece.inner}" if piece.tag else piece.text
        digest.update(" ".join(words.split()).encode())
        digest.update(b"\0")
    return digest.hexdigest()


class _Piece(NamedTuple):
    """A tag, or the text before one."""

    tag: str  # lower case; "" for text
    text: str  # of a tag, what stands in it behind its name
    closes: bool = False
    inner: str = ""  # the text of an element in which tags are none, such as a title


def _pieces(source: str) -> Iterator[_Piece]:
    """Take a page apart, without comments and declarations."""
    lowered = source.lower()
    if len(lowered) != len(source):  # a letter whose small form is longer: positions would not fit
        lowered = source
    position = 0
    while match := _TAG.search(source, position):
        if match.start() > position:
            yield _Piece("", source[position : match.start()])
        position = match.end()
        if match[1] or match[2]:
            position = _after(source, "-->" if match[1] else ">", position)
            continue
        inside = _INSIDE.match(source, position, position + _LONGEST_TAG)
        if inside is None:  # never closed: whatever it is, it is passed over as a whole
            position += _LONGEST_TAG
            continue
        tag, closes, position = match[4].lower(), bool(match[3]), inside.end()
        inner = ""
        if tag in _RAW and not closes:
            end = lowered.find(f"</{tag}", position)
            inner = source[position : end if end >= 0 else len(source)]
            position += len(inner)
        yield _Piece(tag, inside[0], closes, inner)
    if position < len(source):
        yield _Piece("", source[position:])


def _after(text: str, mark: str, position: int) -> int:
    found = text.find(mark, position)
    return len(text) if found < 0 else found + len(mark)


def _attributes(inside: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(inside):
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


def _note(facts: PageFacts, tag: str, attributes: Mapping[str, str]) -> None:
    href = attributes.get("src" if tag in ("frame", "iframe") else "href", "")
    relations = set(attributes.get("rel", "").lower().split())
    if tag == "meta":
        if attributes.get("name", "").lower() in ("robots", "footnote"):
            facts.directives |= set(re.split(r"[\s,]+", attributes.get("content", "").lower()))
    elif not href:
        return
    elif tag == "base":
        facts.base = facts.base or href
    elif tag == "link":
        if "canonical" in relations and not facts.canonical:
            facts.canonical = href
        elif "next" in relations and len(facts.links) < _MOST_LINKS:
            facts.links.append(href)
    elif "nofollow" not in relations and len(facts.links) < _MOST_LINKS:
        facts.links.append(href)
