"""The text of Word paragraphs, and what is anchored in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from knowledge.parsing.docx_styles import Styles, W, attribute
from knowledge.parsing.office import tidy
from knowledge.parsing.ooxml_parts import A, M, children

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_LEFT_OUT: Final = frozenset(
    (f"{W}del", f"{W}moveFrom", f"{W}pPr", f"{W}rPr", f"{W}instrText", f"{W}delText", f"{W}tblPr", f"{W}rt",
     f"{W}delInstrText", f"{M}rPr")
)  # fmt: skip
_CHARACTERS: Final = {
    f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": " ",
}  # fmt: skip
_CONTAINERS: Final = frozenset(
    (f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}moveTo", f"{W}customXml", f"{W}smartTag")
)  # fmt: skip


@dataclass(slots=True)
class Paragraph:
    """What stands in a paragraph. Insertions are kept; deletions, hidden runs and fallbacks are left out."""

    text: str = ""
    boxes: list[_Element] = field(default_factory=list)  # text boxes, the outermost
    graphics: list[_Element] = field(default_factory=list)  # charts and diagrams
    comments: list[str] = field(default_factory=list)  # ids
    hidden: bool = False  # text that is not shown was left out


def read_paragraph(paragraph: _Element, styles: Styles) -> Paragraph:
    found = Paragraph()
    parts: list[str] = []
    stack = list(reversed(list(children(paragraph))))
    while stack:
        node = stack.pop()
        tag = node.tag
        if tag in (f"{W}t", f"{M}t"):
            parts.append(node.text or "")
        elif tag in _CHARACTERS:
            parts.append(_CHARACTERS[tag])
        elif tag == f"{W}txbxContent":
            found.boxes.append(node)
        elif tag == f"{A}graphicData":
            found.graphics.append(node)
            stack.extend(reversed(list(children(node))))
        elif tag == f"{W}commentReference":
            found.comments.append(attribute(node, "id"))
        elif tag == f"{W}r" and styles.hides(node):
            found.hidden = found.hidden or next(node.iter(f"{W}t"), None) is not None
            found.comments += [attribute(one, "id") for one in node.iter(f"{W}commentReference")]
        elif tag not in _LEFT_OUT:
            if tag == f"{M}den":
                parts.append("/")
            stack.extend(reversed(list(children(node))))
    found.text = tidy("".join(parts))
    return found


def content(parent: _Element) -> Iterator[_Element]:
    """The children, with wrappers (content controls, insertions) opened and deletions left out."""
    stack = list(reversed(list(children(parent))))
    while stack:
        child = stack.pop()
        if child.tag in _CONTAINERS:
            stack.extend(reversed(list(children(child))))
        elif child.tag not in _LEFT_OUT:
            yield child


def paragraphs(parent: _Element) -> Iterator[_Element]:
    """The paragraphs below an element in document order, those of nested tables included; none within another."""
    stack = list(reversed(list(children(parent))))
    while stack:
        node = stack.pop()
        if node.tag == f"{W}p":
            yield node
        elif node.tag not in _LEFT_OUT:
            stack.extend(reversed(list(children(node))))
