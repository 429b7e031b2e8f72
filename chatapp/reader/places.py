"""Where words stand on the pages of a document, and how sure that is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.markup.inline import Range
from knowledge.parsing.boxes import rects
from knowledge.parsing.formats import BMP, JPEG, PDF, PNG, SLIDES, WEBP
from knowledge.types import Block, CharBoxes, Page, Rect

LOCATED_SHARE = 0.5  # of the characters that are no white space
SURE_READING = 0.6  # confidence of text recognition below which its place is not shown either

PICTURES = frozenset({PNG, JPEG, WEBP, BMP})
"""Formats of pictures that every browser shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The page where a range begins, and its rectangles when they are known; else nothing is lit."""

    page: int | None
    rects: tuple[Rect, ...] = ()

    @property
    def exact(self) -> bool:
        return bool(self.rects)


class Places:
    """Finds places in one version."""

    def __init__(
        self, *, text: str, blocks: Sequence[Block], pages: Sequence[Page], boxes: CharBoxes | None = None
    ) -> None:
        self._text = text
        self._boxes = boxes
        self._pages = [page for page in pages if page.start < page.end]
        self._doubtful = [(block.start, block.end) for block in blocks if _is_doubtful(block)]

    def of(self, found: Range) -> Place:
        """Return where a range stands. It has rectangles only if most of its characters have a box of their own."""
        start, end = found
        page, boxes = self.page_at(start), self._boxes
        if boxes is None or not 0 <= start < end <= len(boxes.page):
            return Place(page=page)
        if any(low < end and start < high for low, high in self._doubtful):
            return Place(page=page)
        xyxy = boxes.xyxy[start:end]
        drawn = (boxes.page[start:end] > 0) & ((xyxy[:, 2] > xyxy[:, 0]) | (xyxy[:, 3] > xyxy[:, 1]))
        letters = sum(not character.isspace() for character in self._text[start:end])
        if not letters or drawn.sum() < LOCATED_SHARE * letters:
            return Place(page=page)
        lit = tuple(rects(boxes, start, end))
        return Place(page=lit[0][0], rects=lit)

    def page_at(self, offset: int) -> int | None:
        """Return the page an offset stands on, or None where the format has no pages."""
        if not self._pages:
            return None
        at = bisect_right(self._pages, offset, key=lambda page: page.start) - 1
        return self._pages[max(0, at)].number


def _is_doubtful(block: Block) -> bool:
    """Tell whether text recognition was unsure of what it read."""
    sure = block.attrs.get("confidence")
    return isinstance(sure, int | float) and sure < SURE_READING


def page_word(media_type: str) -> str:
    """Return what people call a page of the format."""
    return "Slide" if media_type in SLIDES else "Page"


def drawn_as(media_type: str) -> str:
    """Return how a browser shows the pages of the format: "pdf", "picture", or "" where it cannot."""
    return "pdf" if media_type == PDF else "picture" if media_type in PICTURES else ""
