"""What a slide's placeholders inherit from its layout and master: their places and their bullets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from knowledge.parsing.ooxml_parts import A
from knowledge.parsing.reading_order import Position

if TYPE_CHECKING:
    from lxml.etree import _Element

P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
TITLES: Final = frozenset(("title", "ctrTitle"))
FURNITURE: Final = frozenset(("dt", "ftr", "sldNum", "hdr"))
_LEVELS: Final = 9
_FAR: Final = 10**12  # English metric units; beyond any slide


@dataclass(frozen=True, slots=True)
class Bullet:
    """What stands before a paragraph: a sign, a number (``scheme`` as in "arabicPeriod") or, not ``shown``, nothing."""

    shown: bool
    scheme: str = ""
    first: int = 1


Bullets = tuple[Bullet | None, ...]  # by level from 0; None: not said here
NO_BULLETS: Final[Bullets] = (None,) * _LEVELS


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder. ``kind`` is its type, "obj" where none is given; both are whatever the file says."""

    kind: str
    index: str
    position: Position | None
    bullets: Bullets


class Layout:
    """The placeholders of a layout or master, and what it inherits from."""

    def __init__(self, slots: Iterable[Slot] = (), body: Bullets = NO_BULLETS, master: Layout | None = None) -> None:
        self._body = body  # of a master: its style of body texts
        self._master = master
        self._by_index: dict[str, Slot] = {}
        self._by_kind: dict[str, Slot] = {}
        for slot in slots:
            self._by_index.setdefault(slot.index, slot)
            self._by_kind.setdefault("title" if slot.kind in TITLES else slot.kind, slot)

    def position(self, kind: str, index: str) -> Position | None:
        own = self._slot(kind, index)
        if own is not None and own.position is not None:
            return own.position
        return self._master.position(*_in_master(own.kind if own else kind)) if self._master else None

    def bullet(self, kind: str, index: str, level: int) -> Bullet | None:
        own = self._slot(kind, index)
        if own is not None and (said := own.bullets[level]):
            return said
        if self._master:
            return self._master.bullet(*_in_master(own.kind if own else kind), level)
        return self._body[level] if kind == "body" else None

    def _slot(self, kind: str, index: str) -> Slot | None:
        if kind in TITLES:
            return self._by_kind.get("title")
        return self._by_index.get(index) or self._by_kind.get(kind)


def _in_master(kind: str) -> tuple[str, str]:
    """A master has one placeholder for titles, one for bodies, and those of header and footer."""
    if kind in TITLES:
        return "title", ""
    return (kind if kind in FURNITURE else "body"), ""


def read_layout(root: _Element, master: Layout | None) -> Layout:
    """Read a layout part or, without ``master``, a master part."""
    slots = []
    for shape in root.iter(f"{P}sp"):
        if (placeholder := placeholder_of(shape)) is not None:
            styles = shape.find(f"{P}txBody/{A}lstStyle")
            slots.append(Slot(*placeholder, offset(shape), bullets(styles)))
    return Layout(slots, bullets(root.find(f"{P}txStyles/{P}bodyStyle")), master)


def placeholder_of(shape: _Element) -> tuple[str, str] | None:
    """Type and index of a placeholder, None for other shapes."""
    found = shape.find(f"*/{P}nvPr/{P}ph")
    return None if found is None else (found.get("type") or "obj", found.get("idx") or "0")


def offset(shape: _Element) -> Position | None:
    """Where the shape itself says that it is, in the coordinates of what holds it."""
    for path in (f"{P}spPr/{A}xfrm/{A}off", f"{P}xfrm/{A}off", f"{P}grpSpPr/{A}xfrm/{A}off"):
        found = shape.find(path)
        if found is not None:
            return pair(found, "x", "y")
    return None


def pair(element: _Element, first: str, second: str) -> Position | None:
    """Two numbers of an element; None where they are missing or no sensible numbers."""
    try:
        a, b = int((element.get(first) or "")[:20]), int((element.get(second) or "")[:20])
    except ValueError:
        return None
    return (float(a), float(b)) if abs(a) < _FAR and abs(b) < _FAR else None


def bullets(styles: _Element | None) -> Bullets:
    """The bullets of a list style, by level."""
    if styles is None:
        return NO_BULLETS
    return tuple(bullet(styles.find(f"{A}lvl{level}pPr")) for level in range(1, _LEVELS + 1))


def bullet(properties: _Element | None) -> Bullet | None:
    """The bullet that paragraph properties name; None when they name none, not even that there is none."""
    if properties is None:
        return None
    if properties.find(f"{A}buNone") is not None:
        return Bullet(shown=False)
    numbered = properties.find(f"{A}buAutoNum")
    if numbered is not None:
        first = numbered.get("startAt") or "1"
        return Bullet(
            True, numbered.get("type") or "arabicPeriod", int(first) if first.isdecimal() and len(first) < 6 else 1
        )
    signs = (properties.find(f"{A}buChar"), properties.find(f"{A}buBlip"))
    return Bullet(shown=True) if any(sign is not None for sign in signs) else None


def level_of(properties: _Element | None) -> int:
    """The level of a paragraph, from 0."""
    value = properties.get("lvl") or "0" if properties is not None else "0"
    return min(int(value), _LEVELS - 1) if value.isdecimal() and len(value) < 4 else 0
