"""What a Word paragraph is, read from its style chain and its own properties."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from knowledge.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
_MAX_CHAIN = 20

Kind = tuple[BlockKind, int | None]


class NumberedBy(NamedTuple):
    """The list that a paragraph belongs to; an empty ``level`` means the level of its style."""

    list: str
    level: str
    style: str


def attribute(element: _Element, name: str) -> str:
    return element.get(f"{W}{name}") or ""


class Styles:
    """The styles part, asked by style id."""

    def __init__(self, root: _Element | None) -> None:
        self._by_id = (
            {attribute(style, "styleId"): style for style in root.iter(f"{W}style")} if root is not None else {}
        )
        self._kinds: dict[str, Kind] = {}
        self._hiding: dict[str, bool] = {}
        self._numbering: dict[str, NumberedBy | None] = {}

    def kind_of(self, paragraph: _Element) -> Kind:
        """Kind and heading level of a paragraph; its own properties go before its style's."""
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return BlockKind.PARAGRAPH, None
        style = properties.find(f"{W}pStyle")
        of_style = self._kind_of_style(attribute(style, "val")) if style is not None else (BlockKind.PARAGRAPH, None)
        if of_style[0] in (BlockKind.HEADING, BlockKind.TITLE):
            return of_style
        return _own_kind(properties) or of_style

    def numbering_of(self, paragraph: _Element) -> NumberedBy | None:
        """The list that a paragraph is numbered by; what it says itself goes before its style."""
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return None
        style = properties.find(f"{W}pStyle")
        of_style = self._numbering_of_style(attribute(style, "val")) if style is not None else None
        return _numbered(properties, of_style, of_style.style if of_style else "")

    def _numbering_of_style(self, style_id: str) -> NumberedBy | None:
        if style_id not in self._numbering:
            found: NumberedBy | None = None
            for name, style in reversed(list(self._chain(style_id))):
                properties = style.find(f"{W}pPr")
                if properties is not None:
                    found = _numbered(properties, found, name)
            self._numbering[style_id] = found
        return self._numbering[style_id]

    def hides(self, run: _Element) -> bool:
        """Whether the text of a run is not shown, by its own properties or by its character style."""
        properties = run.find(f"{W}rPr")
        if properties is None:
            return False
        own = _vanishes(properties)
        style = properties.find(f"{W}rStyle")
        if own is not None or style is None:
            return bool(own)
        name = attribute(style, "val")
        if name not in self._hiding:
            chain = (found.find(f"{W}rPr") for _, found in self._chain(name))
            said = (_vanishes(found) for found in chain if found is not None)
            self._hiding[name] = bool(next((one for one in said if one is not None), False))
        return self._hiding[name]

    def _chain(self, style_id: str) -> Iterator[tuple[str, _Element]]:
        """A style and those it is based on, by id."""
        for _ in range(_MAX_CHAIN):  # a chain may be a circle
            style = self._by_id.get(style_id)
            if style is None:
                return
            yield style_id, style
            base = style.find(f"{W}basedOn")
            style_id = attribute(base, "val") if base is not None else ""

    def _kind_of_style(self, style_id: str) -> Kind:
        if style_id not in self._kinds:
            self._kinds[style_id] = self._resolve(style_id)
        return self._kinds[style_id]

    def _resolve(self, style_id: str) -> Kind:
        for _ in range(_MAX_CHAIN):  # a chain may be a circle
            style = self._by_id.get(style_id)
            if style is None:
                return _by_name(style_id) or (BlockKind.PARAGRAPH, None)
            name = style.find(f"{W}name")
            properties = style.find(f"{W}pPr")
            kind = _by_name(attribute(name, "val")) if name is not None else None
            kind = kind or (_own_kind(properties) if properties is not None else None)
            if kind:
                return kind
            base = style.find(f"{W}basedOn")
            if base is None:
                break
            style_id = attribute(base, "val")
        return BlockKind.PARAGRAPH, None


def _vanishes(properties: _Element) -> bool | None:
    vanish = properties.find(f"{W}vanish")
    return None if vanish is None else attribute(vanish, "val") not in ("0", "false", "off")


def _numbered(properties: _Element, inherited: NumberedBy | None, style: str) -> NumberedBy | None:
    numbering = properties.find(f"{W}numPr")
    if numbering is None:
        return inherited
    level, name = numbering.find(f"{W}ilvl"), numbering.find(f"{W}numId")
    number = attribute(name, "val") if name is not None else (inherited.list if inherited else "")
    own = attribute(level, "val") if level is not None else (inherited.level if inherited else "")
    return NumberedBy(number, own, style) if number not in ("", "0") else None


def _by_name(name: str) -> Kind | None:
    spaced = re.sub(r"^(heading)([1-9])$", r"\1 \2", name.strip(), flags=re.IGNORECASE)
    if heading := _HEADING.match(spaced):
        return BlockKind.HEADING, int(heading.group(1))
    lowered = spaced.lower()
    if lowered == "title":
        return BlockKind.TITLE, None
    if lowered == "caption":
        return BlockKind.CAPTION, None
    return (BlockKind.LIST_ITEM, None) if lowered.startswith("list ") and "paragraph" not in lowered else None


def _own_kind(properties: _Element) -> Kind | None:
    outline = properties.find(f"{W}outlineLvl")
    if outline is not None and attribute(outline, "val") in tuple("012345678"):
        return BlockKind.HEADING, int(attribute(outline, "val")) + 1
    numbering = properties.find(f"{W}numPr/{W}numId")
    if numbering is not None and attribute(numbering, "val") != "0":
        return BlockKind.LIST_ITEM, None
    return None
