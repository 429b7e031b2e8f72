"""How the parts of an Office Open XML file refer to each other, and small helpers for reading them."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from knowledge.parsing.office import tidy
from knowledge.parsing.ooxml import Package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_CORE = "docProps/core.xml"


@dataclass(frozen=True, slots=True)
class Relationship:
    """``kind`` is the last word of its type: "slide", "notesSlide", "chart"."""

    id: str
    kind: str
    target: str  # name of a part, as in the package


def relationships(package: Package, part: str) -> tuple[Relationship, ...]:
    """What ``part`` refers to inside the package; a target may be missing.

    :raises DocumentDamaged: the list of references cannot be read.
    """
    folder, _, name = part.rpartition("/")
    rels = f"{folder}/_rels/{name}.rels".lstrip("/")
    if rels not in package.names:
        return ()
    found = []
    for element in package.xml(rels):
        target = unquote(element.get("Target") or "")
        if element.get("TargetMode") == "External" or not target:
            continue
        path = posixpath.normpath(target if target.startswith("/") else f"/{folder}/{target}").lstrip("/")
        kind = (element.get("Type") or "").rpartition("/")[2]
        found.append(Relationship(element.get("Id") or "", kind, path))
    return tuple(found)


def main_part(package: Package, content_type: re.Pattern[str], default: str) -> str:
    """The document part: by content type, since some producers give it another name."""
    if "[Content_Types].xml" in package.names:
        for override in package.xml("[Content_Types].xml"):
            if content_type.search(override.get("ContentType") or ""):
                name = (override.get("PartName") or "").lstrip("/")
                if name in package.names:
                    return name
    return default


def core_title(package: Package) -> str | None:
    """The title among the properties of the document."""
    return package.xml(_CORE).findtext(f"{_DC}title") or None if _CORE in package.names else None


def children(parent: _Element) -> Iterator[_Element]:
    """The children; of what is written twice for older readers, the first choice."""
    stack = list(reversed(parent))
    while stack:
        child = stack.pop()
        if child.tag == f"{MC}AlternateContent":
            chosen = child.find(f"{MC}Choice")
            chosen = chosen if chosen is not None else child.find(f"{MC}Fallback")
            stack.extend(reversed(chosen) if chosen is not None else ())
        else:
            yield child


def drawing_text(paragraph: _Element) -> str:
    """The text of a DrawingML paragraph: runs, fields, breaks and the characters of equations."""
    parts: list[str] = []
    stack = list(reversed(list(children(paragraph))))
    while stack:
        node = stack.pop()
        if node.tag in (f"{A}t", f"{M}t"):
            parts.append(node.text or "")
        elif node.tag == f"{A}br":
            parts.append("\n")
        elif node.tag not in (f"{A}pPr", f"{A}rPr", f"{A}endParaRPr"):
            stack.extend(reversed(list(children(node))))
    return tidy("".join(parts))


def drawing_texts(body: _Element) -> list[str]:
    """The texts of the paragraphs below ``body``, without empty ones."""
    return [text for paragraph in body.iter(f"{A}p") if (text := drawing_text(paragraph))]
