"""What each page of a document gave: how many characters, read how, and which pages deserve a look."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from knowledge.parsing.pdf_page import is_picture
from knowledge.parsing.recognition import BAD_SHARE
from knowledge.types import Block, Page

UNSURE = 0.8
"""Mean confidence of text recognition below which a page is worth a look."""

_SOURCES = {"text": "Text", "ocr": "Read by OCR", "ocr-layer": "Layer of a scanner"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageYield:
    """One page. ``share`` is its characters over the median of the pages that have any, 1.0 being usual."""

    number: int
    source: str  # "text", "ocr", "ocr-layer" or "none"
    characters: int  # without white space
    share: float
    bad: float  # share of characters that are no letters anyone can read
    confidence: float | None  # 0..1, of its recognised blocks by their length
    reasons: tuple[str, ...]  # to look at it, in words; the weightiest first

    @property
    def flag(self) -> str:
        return _SOURCES.get(self.source, "No text")

    @property
    def percent(self) -> int:
        return round(100 * self.share)

    @property
    def bad_percent(self) -> int:
        """In percent; 0 where there are too few to speak of."""
        return round(100 * self.bad) if self.bad > BAD_SHARE else 0

    @property
    def confidence_percent(self) -> int | None:
        return None if self.confidence is None else int(100 * self.confidence)


@dataclass(slots=True)
class _Found:
    """What the blocks of one page say of it."""

    weight: int = 0  # characters of blocks with a confidence
    sure: float = 0.0  # their confidence times their characters
    unseen: bool = False


def page_yields(text: str, blocks: Sequence[Block], pages: Sequence[Page]) -> list[PageYield]:
    """Return what each page gave, in order."""
    found = _found(blocks, len(pages))
    characters = [_characters(text, page) for page in pages]
    usual = median([count for count in characters if count] or [1])
    return [
        _yield(page, count, count / usual, found[page.number]) for page, count in zip(pages, characters, strict=True)
    ]


def to_look_at(pages: Sequence[PageYield]) -> list[PageYield]:
    """Return the pages with a reason: those without text first, then those with garbage, then the others."""
    return sorted((page for page in pages if page.reasons), key=lambda page: (_weight(page), page.number))


def _weight(page: PageYield) -> int:
    return 0 if not page.characters else 1 if page.bad_percent else 2


def _characters(text: str, page: Page) -> int:
    if page.source == "none":
        return 0
    # Slides, and layouts of the first format, carry no count.
    return page.characters or sum(map(len, text[page.start : page.end].split()))


def _found(blocks: Sequence[Block], pages: int) -> defaultdict[int, _Found]:
    found: defaultdict[int, _Found] = defaultdict(_Found)
    for block in blocks:
        confidence, unseen = known_number(block.attrs.get("confidence")), bool(block.attrs.get("invisible"))
        if block.page_first is None or not (unseen or confidence is not None):
            continue
        for number in range(block.page_first, min(block.page_last or block.page_first, pages) + 1):
            page = found[number]
            page.unseen = page.unseen or unseen
            if confidence is not None:
                page.weight += block.end - block.start
                page.sure += confidence * (block.end - block.start)
    return found


def known_number(value: object) -> float | None:
    """Return a number that counts; a layout may hold what no parser of ours writes."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _yield(page: Page, characters: int, share: float, found: _Found) -> PageYield:
    bad = page.bad / characters if characters else 0.0
    confidence = found.sure / found.weight if found.weight else None
    return PageYield(
        number=page.number,
        source=page.source if characters else "none",
        characters=characters,
        share=share,
        bad=bad,
        confidence=confidence,
        reasons=tuple(_reasons(page, characters, bad, confidence, found.unseen)),
    )


def _reasons(page: Page, characters: int, bad: float, confidence: float | None, unseen: bool) -> list[str]:
    reasons = []
    if not characters:
        reasons.append("no text, but a large picture" if page.has_image else "no text")
    elif is_picture(page):
        reasons.append("mostly a picture, hardly any text")
    if bad > BAD_SHARE:
        reasons.append(f"{round(100 * bad)} % of the characters are unreadable")
    if confidence is not None and confidence < UNSURE:
        reasons.append(f"text recognition was only {int(100 * confidence)} % sure")
    if unseen:
        reasons.append("hidden text")
    return reasons
