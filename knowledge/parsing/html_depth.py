"""How deep HTML would nest, told in one linear pass before any tree is built."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_NEVER_NEST = frozenset(
    # void elements, and elements that a sibling or their parent's end closes
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "td",
        "th",
        "tr",
        "thead",
        "tbody",
        "tfoot",
        "option",
        "optgroup",
        "colgroup",
        "rt",
        "rp",
        "html",
        "head",
        "body",
    ]
)
_RAW = frozenset(("script", "style", "textarea", "title", "xmp", "noembed"))


def depth(html: str) -> int:
    """The deepest nesting of elements, close to what a parser would build."""
    lowered = html.lower()
    deepest = current = position = 0
    while match := _next_tag(html, lowered, position):
        closing, name = bool(match.group(1)), match.group(2).lower()
        position = match.end()
        if name in _NEVER_NEST:
            continue
        if closing:
            current = max(0, current - 1)
            continue
        if name in _RAW:
            end = lowered.find(f"</{name}", position)
            if end < 0:
                return deepest
            position = end + len(name) + 2
            continue
        current += not _self_closing(html, position)
        deepest = max(deepest, current)
    return deepest


def _next_tag(html: str, lowered: str, position: int) -> re.Match[str] | None:
    while match := _TAG.search(html, position):
        comment = lowered.find("<!--", position, match.start())
        if comment < 0:
            return match
        end = lowered.find("-->", comment)
        if end < 0:
            return None
        position = end + 3
    return None


def _self_closing(html: str, position: int) -> bool:
    end = html.find(">", position, position + 2000)
    return end > 0 and html[end - 1] == "/"
