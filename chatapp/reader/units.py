"""What a page shows at once: blocks, long ones in parts, and the window around a place."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.markup.inline import Range
from knowledge.types import Block

WINDOW_UNITS = 400
WINDOW_CHARACTERS = 150_000
UNITS_BEFORE_MATCH = 60
LONG_UNIT = 6_000


@dataclass(frozen=True, slots=True)
class Unit:
    """A block, or a part of a very long one."""

    block: Block
    start: int
    end: int


def units_of(text: str, blocks: Sequence[Block]) -> list[Unit]:
    """Split blocks no page could hold; a text without line ends is one block of many megabytes."""
    units: list[Unit] = []
    for block in blocks:
        start = block.start
        while block.end - start > LONG_UNIT:
            space = text.rfind(" ", start + LONG_UNIT // 2, start + LONG_UNIT)
            cut = space + 1 if space > 0 else start + LONG_UNIT
            units.append(Unit(block, start, cut))
            start = cut
        if start < block.end:
            units.append(Unit(block, start, block.end))
    return units


def window(units: Sequence[Unit], *, match: Range | None, begin: int | None) -> Range:
    """Return the first unit to show and the one after the last."""
    first = 0
    if begin is not None:
        first = unit_at(units, begin)
    elif match:
        first = _lead_in(units, unit_at(units, match[0]))
    last, characters = first, 0
    while last < len(units) and last - first < WINDOW_UNITS and characters < WINDOW_CHARACTERS:
        characters += units[last].end - units[last].start
        last += 1
    return first, last


def unit_at(units: Sequence[Unit], offset: int) -> int:
    """Return the unit that holds the offset, or the one before the gap it lies in."""
    return max(0, bisect_right(units, offset, key=lambda unit: unit.start) - 1)


def _lead_in(units: Sequence[Unit], at: int) -> int:
    """Return where to begin so that some of the text before a unit is shown, and surely the unit too."""
    first, characters = at, 0
    while first > 0 and at - first < UNITS_BEFORE_MATCH and characters < WINDOW_CHARACTERS // 4:
        first -= 1
        characters += units[first].end - units[first].start
    return first
