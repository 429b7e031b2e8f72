"""What a web page says about itself and links to, read in one linear pass without building a tree.

The page is read for its text later, by the walled parser. Here, in the process of the worker, no parser written in C
meets it, and no page can make this take more than time in proportion to its length.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PageFacts", "page_facts"]

_OPEN: Final = re.compile(
    r"<(?:(!--)|(script|style|textarea|template|title)\b|(a|area|link|meta|base)\b)", re.IGNORECASE
)
_INSIDE: Final = re.compile(r"(?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+>")
_ATTRIBUTE: Final = re.compile(r"([^\s=>\"'/]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"']*+)))?+")
_LONGEST_TAG = 8000
_LONGEST_TITLE = 300
_MOST_LINKS = 5000


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
    lowered = source.lower()
    if len(lowered) != len(source):  # a letter whose small form is longer: positions would not fit
        lowered = source
    position = 0
    while match := _OPEN.search(source, position):
        position = match.end()
        if match[1]:
            position = _after(source, "-->", position)
        elif match[2]:
            end = _after(lowered, f"</{match[2].lower()}", position)
            if match[2].lower() == "title" and not facts.title:
                facts.title = _title(source[position : min(end, position + _LONGEST_TAG)])
            position = end
        else:
            limit = position + _LONGEST_TAG
            inside = _INSIDE.match(source, position, limit)
            if inside is None:  # never closed: whatever it is, it is passed over as a whole
                position = limit
                continue
            position = inside.end()
            _note(facts, match[3].lower(), _attributes(inside[0]))
    return facts


def _after(text: str, mark: str, position: int) -> int:
    found = text.find(mark, position)
    return len(text) if found < 0 else found + len(mark)


def _title(raw: str) -> str:
    text = raw.partition(">")[2].partition("</")[0]
    return " ".join(html.unescape(text).split())[:_LONGEST_TITLE]


def _attributes(inside: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(inside):
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


def _note(facts: PageFacts, tag: str, attributes: Mapping[str, str]) -> None:
    href = attributes.get("href", "")
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
