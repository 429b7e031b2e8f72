"""Recognised lines as the runs a PDF page is laid out from."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from statistics import median

import numpy as np

from knowledge.parsing.pdf_chars import PageText, Run, turn
from knowledge.parsing.pdf_furniture import PageRuns, part
from knowledge.parsing.pdf_layers import Box, Layer
from knowledge.parsing.pdf_page import is_garbled, is_picture
from knowledge.parsing.pdf_styles import DOWN, OVER, UP, UPRIGHT
from knowledge.parsing.recognition import RecognisedLine, RecognisedPage
from knowledge.types import Page

_SIZE = 0.75  # of the height of a line's outline: about what its font size would be
_DESCENT = 0.2


def wants_recognition(page: Page) -> bool:
    """Whether a page's words can only be seen, not read: it has no text, garbage, or a stamp on a picture."""
    if page.width <= 0:
        return False  # it cannot be drawn either
    return not page.characters or is_garbled(page) or (page.source != "ocr-layer" and is_picture(page))


def put_in(page: PageRuns, recognised: RecognisedPage) -> PageRuns:
    """A page of a PDF with recognised words in place of its own; itself where none were recognised."""
    text = page_text(recognised)
    if not text.characters:
        return page
    facts = replace(page.page, characters=text.characters, bad=0, source="ocr")
    result = part(facts, text)
    result.notes = page.notes
    return result


def page_runs(page: RecognisedPage) -> PageRuns:
    """A picture as a page of its own: as large as the picture, its pixels the points."""
    text = page_text(page)
    geometry = Page(
        number=page.number, start=0, end=0, width=page.width, height=page.height,
        view_box=(0.0, 0.0, page.width, page.height), characters=text.characters, has_image=True,
        source="ocr" if text.characters else "none",
    )  # fmt: skip
    return part(geometry, text)


def page_text(page: RecognisedPage) -> PageText:
    """The lines of a page as runs, in user space."""
    runs = [_run(line) for line in page.lines]
    return PageText(runs=runs, characters=sum(len(run.text) - run.text.count(" ") for run in runs))


def _run(line: RecognisedLine) -> Run:
    drawn = [box for box in line.boxes if box[2] > box[0] and box[3] > box[1]]
    direction = _direction(drawn)
    turned = [turn(box, direction) for box in drawn] or [(0.0, 0.0, 1.0, 1.0)]
    height = median(box[3] - box[1] for box in turned)
    return Run(
        direction=direction,
        size=max(1.0, round(_SIZE * height, 1)),
        text=line.text,
        boxes=np.array(line.boxes, dtype=np.float32).reshape(-1, 4),
        x0=min(box[0] for box in turned),
        x1=max(box[2] for box in turned),
        base=median(box[1] for box in turned) + _DESCENT * height,
        layer=Layer.RECOGNISED,
        confidence=line.confidence,
        rtl=any(unicodedata.bidirectional(character) in ("R", "AL") for character in line.text),
    )


def _direction(drawn: list[Box]) -> int:
    """Where the line runs in user space, told by its first and last character; a turned page turns its text."""
    if len(drawn) < 2:
        return UPRIGHT
    first, last = drawn[0], drawn[-1]
    across = (last[0] + last[2]) - (first[0] + first[2])
    along = (last[1] + last[3]) - (first[1] + first[3])
    if abs(along) > abs(across):
        return UP if along > 0 else DOWN
    return UPRIGHT if across >= 0 else OVER
