"""The curve as a drawing of 100 by 100 units: to the right what is let through wrongly, upwards what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.labelling.figures import Curve, Point

__all__ = ["Drawing", "drawn"]

ROWS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Thresholds of the table beside the drawing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A threshold in force, as a dot."""

    name: str
    x: float
    y: float
    point: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    line: str  # points of an SVG polyline
    marks: Sequence[Mark]
    rows: Sequence[Point]


def drawn(curve: Curve, limits: tuple[float, float]) -> Drawing:
    """Return the drawing; ``limits`` are the thresholds in force, ``(supported, unsupported)``."""
    names = ("found in the source", "at least partly found")
    marks = [(name, _at(curve, limit)) for name, limit in zip(names, limits, strict=True)]
    return Drawing(
        line=" ".join(f"{_x(point):.1f},{_y(point):.1f}" for point in curve.points),
        marks=[Mark(name=name, x=round(_x(point), 1), y=round(_y(point), 1), point=point) for name, point in marks],
        rows=[_at(curve, threshold) for threshold in ROWS],
    )


def _at(curve: Curve, threshold: float) -> Point:
    """Return what the threshold does: as the lowest point of the curve that is not below it."""
    reached = [point for point in curve.points if point.threshold >= threshold]
    last = reached[-1]
    return Point(threshold=threshold, held_found=last.held_found, others_let_through=last.others_let_through)


def _x(point: Point) -> float:
    return 100 * point.others_let_through


def _y(point: Point) -> float:
    return 100 - 100 * point.held_found
