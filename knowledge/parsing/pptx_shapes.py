"""The shapes of a slide in the order in which people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.parsing.ooxml_parts import A, children
from knowledge.parsing.pptx_layout import Layout, P, offset, pair, placeholder_of
from knowledge.parsing.reading_order import Position, in_reading_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_SHAPES = frozenset((f"{P}sp", f"{P}pic", f"{P}graphicFrame", f"{P}grpSp"))


@dataclass(frozen=True, slots=True)
class Frame:
    """The coordinates inside a group, as slide = scale * inside + shift."""

    scale: Position = (1.0, 1.0)
    shift: Position = (0.0, 0.0)

    def place(self, inside: Position) -> Position:
        return inside[0] * self.scale[0] + self.shift[0], inside[1] * self.scale[1] + self.shift[1]

    def within(self, group: _Element) -> Frame:
        """The frame of what a group holds. One without a usable transform shares the outer frame."""
        transform = group.find(f"{P}grpSpPr/{A}xfrm")
        if transform is None:
            return self
        outer, size = _pair(transform, "off", "x", "y"), _pair(transform, "ext", "cx", "cy")
        inner, inner_size = _pair(transform, "chOff", "x", "y"), _pair(transform, "chExt", "cx", "cy")
        if outer is None or size is None or inner is None or inner_size is None:
            return self
        scale = tuple(a / b if b else 1.0 for a, b in zip(size, inner_size, strict=True))
        start = self.place((outer[0] - inner[0] * scale[0], outer[1] - inner[1] * scale[1]))
        return Frame((self.scale[0] * scale[0], self.scale[1] * scale[1]), start)


def _pair(transform: _Element, name: str, first: str, second: str) -> Position | None:
    found = transform.find(f"{A}{name}")
    return pair(found, first, second) if found is not None else None


def shapes(tree: _Element, layout: Layout) -> Iterator[_Element]:
    """Every shape that is no group. A group is read as a whole before what stands beside it."""
    stack = [(tree, Frame())]
    while stack:
        shape, frame = stack.pop()
        if shape.tag != f"{P}grpSp" and shape is not tree:
            yield shape
            continue
        inside = frame.within(shape) if shape is not tree else frame
        placed = [(_place(child, inside, layout), (child, inside)) for child in children(shape) if child.tag in _SHAPES]
        stack.extend(reversed(in_reading_order(placed)))


def _place(shape: _Element, frame: Frame, layout: Layout) -> Position | None:
    own = offset(shape)
    if own is not None:
        return frame.place(own)
    placeholder = placeholder_of(shape)
    return layout.position(*placeholder) if placeholder else None


def is_hidden(shape: _Element) -> bool:
    """Whether the shape was switched off in the list of shapes."""
    properties = shape.find(f"*/{P}cNvPr")
    return properties is not None and properties.get("hidden") in ("1", "true")


def description(shape: _Element) -> str:
    """What a picture shows, as its author wrote it."""
    properties = shape.find(f"*/{P}cNvPr")
    return " ".join((properties.get("descr") or "").split()) if properties is not None else ""
