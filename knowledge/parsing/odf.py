"""OpenDocument files: the package, the kind of its content, and the text of its elements."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from knowledge.errors import DocumentDamaged, DocumentEncrypted
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.formats import ODP, ODS, ODT
from knowledge.parsing.office import tidy
from knowledge.parsing.ooxml import Package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_URN: Final = "{urn:oasis:names:tc:opendocument:xmlns:"
OFFICE: Final = f"{_URN}office:1.0}}"
TEXT: Final = f"{_URN}text:1.0}}"
TABLE: Final = f"{_URN}table:1.0}}"
DRAW: Final = f"{_URN}drawing:1.0}}"
STYLE: Final = f"{_URN}style:1.0}}"
PRESENTATION: Final = f"{_URN}presentation:1.0}}"
SVG: Final = f"{_URN}svg-compatible:1.0}}"
_MANIFEST: Final = f"{_URN}manifest:1.0}}"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
XLINK: Final = "{http://www.w3.org/1999/xlink}"
MATHML: Final = "{http://www.w3.org/1998/Math/MathML}"

_KINDS: Final = {f"{OFFICE}text": ODT, f"{OFFICE}presentation": ODP, f"{OFFICE}spreadsheet": ODS}
PARAGRAPHS: Final = frozenset((f"{TEXT}p", f"{TEXT}h"))
_SILENT: Final = frozenset(
    (f"{TEXT}note-citation", f"{TEXT}ruby-text", f"{TEXT}tracked-changes", f"{OFFICE}annotation-end", f"{SVG}title",
     f"{SVG}desc", f"{OFFICE}forms", f"{OFFICE}event-listeners")
)  # fmt: skip
_SPACE = "\x01"  # spaces and line ends that are meant; XML cannot hold these characters
_BREAK = "\x02"
_BLANKS = re.compile(r"[ \t\r\n]+")
_MOST_SPACES: Final = 100


class OpenDocument:
    """An opened package."""

    def __init__(self, data: bytes, limits: ParseLimits) -> None:
        """Open the archive.

        :raises DocumentEncrypted: its parts are encrypted.
        :raises DocumentDamaged: it cannot be opened.
        :raises DocumentTooLarge: it exceeds a limit once inflated.
        :raises DocumentRefused: a part declares a DTD.
        """
        self.package = Package(data, limits)
        if "encrypted-package" in self.package.names:
            raise DocumentEncrypted
        self.package.refuse_dtds()
        if "META-INF/manifest.xml" in self.package.names:
            manifest = self.package.xml("META-INF/manifest.xml")
            if next(manifest.iter(f"{_MANIFEST}encryption-data"), None) is not None:
                raise DocumentEncrypted

    def content(self) -> _Element:
        return self.package.xml("content.xml")

    def title(self) -> str | None:
        """The title among the properties of the document."""
        if "meta.xml" not in self.package.names:
            return None
        return self.package.xml("meta.xml").findtext(f".//{_DC}title") or None

    def styles(self, content: _Element) -> tuple[_Element, ...]:
        """Where styles are defined: the content itself, then the part of the named styles."""
        if "styles.xml" not in self.package.names:
            return (content,)
        return content, self.package.xml("styles.xml")

    def embedded(self, reference: str) -> _Element | None:
        """The content of an embedded object; None when it is missing or no OpenDocument object."""
        name = f"{reference.removeprefix('./').strip('/')}/content.xml"
        return self.package.xml(name) if name in self.package.names else None


def open_content(data: bytes, limits: ParseLimits) -> _Element:
    """Open a file and parse its content.

    :raises DocumentError: as ``OpenDocument``, or the content is missing or broken.
    """
    return OpenDocument(data, limits).content()


def body_of(root: _Element) -> tuple[str, _Element]:
    """The media type that the content has, whatever the file is called, and the element that holds it.

    :raises DocumentDamaged: there is no text, presentation or spreadsheet.
    """
    for child in root.iterfind(f"{OFFICE}body/*"):
        if child.tag in _KINDS:
            return _KINDS[child.tag], child
    raise DocumentDamaged("The file is damaged: it has no document body.")


def equation(root: _Element) -> str:
    """The characters of an equation (MathML), in one line."""
    tokens = root.iter(f"{MATHML}mi", f"{MATHML}mn", f"{MATHML}mo", f"{MATHML}mtext")
    return " ".join(filter(None, ("".join(token.itertext()).strip() for token in tokens)))


def hidden_styles(roots: tuple[_Element, ...]) -> frozenset[str]:
    """The names of text styles whose text is not shown."""
    return frozenset(
        style.get(f"{STYLE}name") or ""
        for root in roots
        for style in root.iter(f"{STYLE}style")
        if any(text.get(f"{TEXT}display") == "none" for text in style.iterfind(f"{STYLE}text-properties"))
    )


@dataclass(slots=True)
class Inline:
    """What stands in a paragraph: its text and what is anchored in it, in document order."""

    text: str = ""
    boxes: list[_Element] = field(default_factory=list)  # frames and shapes
    notes: list[_Element] = field(default_factory=list)
    comments: list[_Element] = field(default_factory=list)
    hidden: bool = False  # some text is not shown and was left out


def inline(paragraph: _Element, hidden: frozenset[str] = frozenset()) -> Inline:
    """Read a paragraph. White space is folded as OpenDocument asks; breaks and counted spaces stay."""
    found = Inline()
    if paragraph.get(f"{TEXT}style-name") in hidden:
        return Inline(hidden=True)
    parts: list[str] = []
    stack = _inside(paragraph)
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node.tag == f"{TEXT}s":
            parts.append(_SPACE * min(count(node, f"{TEXT}c"), _MOST_SPACES))
        elif node.tag == f"{TEXT}tab":
            parts.append(_SPACE)
        elif node.tag == f"{TEXT}line-break":
            parts.append(_BREAK)
        elif node.tag == f"{TEXT}note":
            found.notes.append(node)
        elif node.tag == f"{OFFICE}annotation":
            found.comments.append(node)
        elif str(node.tag).startswith(DRAW) and node.tag != f"{DRAW}a":
            found.boxes.append(node)
        elif node.get(f"{TEXT}is-hidden") == "true" or node.get(f"{TEXT}style-name") in hidden:
            found.hidden = True
            if node.tag == f"{TEXT}hidden-paragraph":
                return Inline(hidden=True)
        elif node.tag not in _SILENT:
            stack += _inside(node)
    folded = _BLANKS.sub(" ", "".join(parts))
    found.text = tidy(folded.replace(_SPACE, " ").replace(_BREAK, "\n"))
    return found


def _inside(element: _Element) -> list[_Element | str]:
    """The text and the children of an element, the first one last, as a stack wants them."""
    pieces: list[_Element | str] = [element.text or ""]
    for child in element:
        pieces += (child, child.tail or "")
    return pieces[::-1]


def count(element: _Element, name: str) -> int:
    """A number of repetitions: 1 where none is given or it makes no sense."""
    value = element.get(name) or ""
    return max(int(value), 1) if value.isdecimal() and len(value) < 19 else 1


def paragraphs(parent: _Element) -> Iterator[_Element]:
    """The paragraphs and headings below an element in document order; not those of notes and comments."""
    stack = list(reversed(parent))
    while stack:
        node = stack.pop()
        if node.tag in PARAGRAPHS:
            yield node
        elif node.tag not in _SILENT and node.tag not in (f"{TEXT}note", f"{OFFICE}annotation"):
            stack.extend(reversed(node))


def text_of(element: _Element, hidden: frozenset[str] = frozenset()) -> str:
    """The text of the paragraphs below an element, one a line, without notes, comments and boxes."""
    return "\n".join(filter(None, (inline(paragraph, hidden).text for paragraph in paragraphs(element))))


def comment(annotation: _Element) -> tuple[str | None, str]:
    """The author, where given, and the text of a comment."""
    return annotation.findtext(f"{_DC}creator"), text_of(annotation)
