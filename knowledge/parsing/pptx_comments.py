"""Comments on slides, in the old form (a flat list) and in the new one (threads with replies)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from knowledge.errors import DocumentDamaged
from knowledge.parsing.office import said, tidy
from knowledge.parsing.ooxml import Package
from knowledge.parsing.ooxml_parts import Relationship, drawing_texts
from knowledge.parsing.pptx_layout import P

if TYPE_CHECKING:
    from lxml.etree import _Element

P188 = "{http://schemas.microsoft.com/office/powerpoint/2018/8/main}"


def authors(package: Package, related: Iterable[Relationship]) -> dict[str, str]:
    """The names of those who commented, by the id that comments carry."""
    found: dict[str, str] = {}
    for part in related:
        if part.kind in ("commentAuthors", "authors"):
            try:
                root = package.xml(part.target)
            except DocumentDamaged:
                continue  # then the comments are there without names
            for author in root:
                found[author.get("id") or ""] = author.get("name") or ""
    return found


def comments(root: _Element, names: Mapping[str, str]) -> Iterator[str]:
    """Each comment and each reply as "Comment by Ann: ...", in the order of the file."""
    for comment in root.iter(f"{P}cm", f"{P188}cm", f"{P188}reply"):
        text = tidy(comment.findtext(f"{P}text") or "")
        body = comment.find(f"{P188}txBody")
        if body is not None:
            text = "\n".join(drawing_texts(body))
        if text:
            yield said(names.get(comment.get("authorId") or ""), text, reply=comment.tag == f"{P188}reply")
