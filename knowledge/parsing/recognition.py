"""What text recognition (OCR) makes of one page, and how it travels between processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` in points of the page's user space, y upwards; all zero where nothing is drawn."""

RECOGNITION_CODE = "needs_recognition"  # of the answer that stands for ``NeedsRecognition``
MAX_LINES = 5_000
MAX_CHARACTERS = 100_000
BAD_SHARE = 0.05
"""Share of control, private use and replacement characters above which a page's own text is garbage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedLine:
    """One line of words; ``boxes`` has one box for each character of ``text``."""

    text: str
    confidence: float  # 0..1, as the engine says
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedPage:
    """A page as the engine read it; no lines where it saw none. ``width`` and ``height`` in points."""

    number: int
    width: float
    height: float
    lines: tuple[RecognisedLine, ...]


class NeedsRecognition(Exception):
    """Raised by a parser that may ask for it: these pages hold pictures of text only."""

    def __init__(self, pages: Sequence[int]) -> None:
        super().__init__(f"{len(pages)} pages need text recognition")
        self.pages = tuple(pages)


def page_to_json(page: RecognisedPage) -> list[Any]:
    lines = [
        [line.text, line.confidence, [round(value, 2) for box in line.boxes for value in box]] for line in page.lines
    ]
    return [page.number, page.width, page.height, lines]


def page_from_json(data: Any) -> RecognisedPage:
    """Rebuild a page. Trusts nothing: a hostile picture may have taken the engine over.

    :raises ValueError: a field is missing, of the wrong type or not finite.
    """
    try:
        number, width, height, lines = data
        page = RecognisedPage(
            number=int(number),
            width=_finite(width),
            height=_finite(height),
            lines=tuple(_line(line) for line in lines[:MAX_LINES]),
        )
    except (TypeError, KeyError, IndexError, OverflowError) as err:
        raise ValueError("not a recognised page") from err
    if sum(len(line.text) for line in page.lines) > MAX_CHARACTERS:
        raise ValueError("a recognised page of too many characters")
    return page


def pages_from_json(data: Any) -> Mapping[int, RecognisedPage]:
    """Rebuild pages by their number.

    :raises ValueError: one of them is not a recognised page.
    """
    pages = [page_from_json(one) for one in data]
    return {page.number: page for page in pages}


def _line(data: Any) -> RecognisedLine:
    text, confidence, values = data
    if not isinstance(text, str) or len(values) != 4 * len(text):
        raise ValueError("boxes of another line")
    numbers = [_finite(value) for value in values]
    boxes = tuple(zip(numbers[0::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True))
    return RecognisedLine(text=text, confidence=min(1.0, max(0.0, _finite(confidence))), boxes=boxes)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number
