"""Where the blocks of one page stand on it: few rectangles for each, none of which covers another block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.parsing.boxes import rects
from knowledge.types import Block, CharBoxes, Rect

MOST_RECTS = 60  # of one block; words scattered over a page have no outline anybody could follow

_Middles = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """The characters of one page: ``boxes`` begins at the offset ``start`` of the text."""

    number: int
    start: int
    boxes: CharBoxes


def page_boxes(boxes: CharBoxes, blocks: Sequence[Block], number: int) -> PageBoxes:
    """Cut out the stretch of a document that the blocks of a page take, however long the document is."""
    start = min((block.start for block in blocks), default=0)
    end = max((block.end for block in blocks), default=0)
    part = CharBoxes(page=boxes.page[start:end], xyxy=boxes.xyxy[start:end])
    return PageBoxes(number=number, start=start, boxes=part)


def outline(page: PageBoxes, start: int, end: int) -> list[Rect]:
    """Return the outlines of a range of the text on the page: its lines, joined while they cover nobody else.

    A paragraph that goes on in the next column has one outline in each.
    """
    lines = [rect for rect in rects(page.boxes, start - page.start, end - page.start) if rect[0] == page.number]
    strangers = _strangers(page, start, end)
    joined: list[Rect] = []
    for line in lines:
        grown = _union(joined[-1], line) if joined else line
        if joined and not _covers(grown, strangers):
            joined[-1] = grown
        else:
            joined.append(line)
    return joined[:MOST_RECTS]


def _strangers(page: PageBoxes, start: int, end: int) -> _Middles:
    """The middles of the characters on the page that are not of the range."""
    here = page.boxes.page == page.number
    here[start - page.start : end - page.start] = False
    box = page.boxes.xyxy[here]
    box = box[(box[:, 2] > box[:, 0]) | (box[:, 3] > box[:, 1])]
    middles: _Middles = (box[:, :2] + box[:, 2:]) / 2
    return middles


def _covers(rect: Rect, middles: _Middles) -> bool:
    _, x0, y0, x1, y1 = rect
    x, y = middles[:, 0], middles[:, 1]
    return bool(((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any())


def _union(first: Rect, second: Rect) -> Rect:
    page, x0, y0, x1, y1 = first
    _, a0, b0, a1, b1 = second
    return page, min(x0, a0), min(y0, b0), max(x1, a1), max(y1, b1)
