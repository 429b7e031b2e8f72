"""The order in which people read what is placed freely on a slide: from top to bottom, then from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

EMU_PER_INCH = 914_400  # the unit of Office Open XML; everything here is in it
_SAME_LINE = EMU_PER_INCH // 8

Position = tuple[float, float]  # x, y of the upper left corner
T = TypeVar("T")


def in_reading_order(placed: Sequence[tuple[Position | None, T]]) -> list[T]:
    """Sort by place. What has none stays behind the one it follows in the file.

    Tops that differ by less than an eighth of an inch are one line, since nobody places boxes to the pixel.
    """
    keyed: list[tuple[Position, int, T]] = []
    before: Position = (float("-inf"), float("-inf"))
    for number, (position, item) in enumerate(placed):
        before = position or before
        keyed.append((before, number, item))
    keyed.sort(key=lambda entry: (entry[0][1], entry[1]))
    lines: list[list[tuple[Position, int, T]]] = []
    for entry in keyed:
        if not lines or entry[0][1] - lines[-1][0][0][1] > _SAME_LINE:
            lines.append([])
        lines[-1].append(entry)
    return [item for line in lines for _, _, item in sorted(line, key=lambda entry: (entry[0][0], entry[1]))]
