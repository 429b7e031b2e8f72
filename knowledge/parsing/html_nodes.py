"""What the elements of HTML mean: which open a block, which are never shown, which are no words of the page itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from knowledge.parsing.decode import clean
from knowledge.types import BlockKind

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

KINDS: Final = {
    "li": BlockKind.LIST_ITEM,
    "pre": BlockKind.CODE,
    "figcaption": BlockKind.CAPTION,
    "caption": BlockKind.CAPTION,
    **{f"h{n}": BlockKind.HEADING for n in range(1, 7)},
}
BLOCKS: Final = frozenset(KINDS) | frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figure footer form header hgroup hr "
    "main ol p section summary table tbody td tfoot th thead tr ul".split(" ")
)
BREAK: Final = "\ue0ff"  # stands for <br> until white space is folded

_SKIPPED = frozenset(
    "script style noscript template nav svg math iframe object embed canvas audio video head select button input "
    "textarea map dialog -comment".split(" ")
)
_SKIPPED_ROLES = frozenset(("navigation", "search", "menu", "menubar", "toolbar", "dialog", "alertdialog"))
_FURNITURE_ROLES = {"banner": "header", "contentinfo": "footer"}
_SECTIONS = frozenset(("article", "main", "section", "aside", "blockquote", "figure", "details", "dialog", "td"))
_COOKIES = re.compile(
    r"(?:cookie|consent)[-_ ]?(?:banner|bar|box|consent|dialog|law|message|notice|overlay|popup)", re.I
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def fold(text: str) -> str:
    """Fold white space to single spaces; a ``<br>`` becomes a line end."""
    return "\n".join(line for part in text.split(BREAK) if (line := " ".join(part.split())))


def skipped(node: LexborNode) -> bool:
    if node.tag in _SKIPPED:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or (attributes.get("role") or "") in _SKIPPED_ROLES
        or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))
    )


def is_page_furniture(node: LexborNode) -> bool:
    """Whether this is the header or footer of the whole page, or asks about cookies.

    The header of an article belongs to the article, and one with a heading holds the title.
    """
    attributes = node.attributes
    role = attributes.get("role") or ""
    tag = _FURNITURE_ROLES.get(role, node.tag)
    if tag in ("header", "footer"):
        return not _within_section(node) and (tag == "footer" or node.css_first("h1, h2, h3") is None)
    if node.tag not in ("div", "aside", "section"):
        return False
    return any(_COOKIES.search((attributes.get(name) or "")[:200]) for name in ("id", "class", "aria-label"))


def _within_section(node: LexborNode) -> bool:
    above = node.parent
    while above is not None and above.tag != "body":
        if above.tag in _SECTIONS:
            return True
        above = above.parent
    return False


def text_of(node: LexborNode) -> str:
    """The visible text below a node; block borders become spaces."""
    parts: list[str] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if current.tag == "-text":
            parts.append(current.text_content or "")
        elif current is node or not skipped(current):
            if current.tag in BLOCKS or current.tag == "br":
                parts.append(" ")
            stack.extend(reversed(list(current.iter(include_text=True))))
    return clean("".join(parts))
