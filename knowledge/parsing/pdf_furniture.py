"""Repeated page headers, footers and page numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from knowledge.parsing.pdf_chars import PageText, Run, turn
from knowledge.parsing.pdf_layers import Layer
from knowledge.parsing.pdf_order import Line, rows
from knowledge.parsing.pdf_styles import UPRIGHT
from knowledge.types import Page

_MARGIN = 0.15  # share of the page height, at the top and at the bottom
_DIGITS = re.compile(r"[0-9]{1,6}")
_MAX_NUMBERS = 4
_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|seite|p\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:of|/|von|de)\s*\d{1,4})?\W*", re.IGNORECASE
)

Key = tuple[str, int]


@dataclass(slots=True)
class PageRuns:
    """The runs of a page, parted: what runs in the page's main direction, what is hidden, and the rest."""

    page: Page
    text: PageText
    direction: int = UPRIGHT
    body: list[Run] = field(default_factory=list)
    aside: list[Run] = field(default_factory=list)
    margin: list[Line] = field(default_factory=list)  # rows near the top or bottom edge
    furniture: list[Line] = field(default_factory=list)
    hidden: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # words of comments, which do not stand on the page

    def take(self, row: Line) -> None:
        """Move a row from the body to the furniture."""
        self.furniture.append(row)
        taken = set(map(id, row.runs))
        self.body = [run for run in self.body if id(run) not in taken]


def part(page: Page, text: PageText) -> PageRuns:
    """Find the main direction of a page and its margin rows."""
    weight: Counter[int] = Counter()
    hidden = [run for run in text.runs if run.layer is Layer.HIDDEN]
    shown = [run for run in text.runs if run.layer is not Layer.HIDDEN]
    for run in shown:
        weight[run.direction] += len(run.text)
    result = PageRuns(page=page, text=text, hidden=hidden)
    if not weight:
        return result
    result.direction = weight.most_common(1)[0][0]
    for run in shown:
        (result.body if run.direction == result.direction else result.aside).append(run)
    _, bottom, _, top = turn(page.view_box, result.direction)
    height = top - bottom
    near = [run for run in result.body if not bottom + _MARGIN * height < run.base < top - _MARGIN * height]
    result.margin = rows(near)
    return result


def tag_furniture(pages: Iterable[PageRuns]) -> None:
    """Move rows that repeat over pages, and bare page numbers, from the body to the furniture."""
    pages = list(pages)
    counts: Counter[Key] = Counter()
    for page in pages:
        counts.update({key for row in page.margin for key in _keys(row, page.page.number)})
    enough = 3 if len(pages) > 2 else 2
    for page in pages:
        for row in page.margin:
            if max(_count(counts, key) for key in _keys(row, page.page.number)) >= enough:
                page.take(row)
        page.margin = []
        if len(pages) > 1 and page.body:
            for row in _page_numbers(rows(page.body)):
                page.take(row)


def _page_numbers(lines: list[Line]) -> list[Line]:
    """The first and the last row of a page, where they are a bare number that stands apart."""
    found = []
    for row, following in ((lines[0], lines[1:2]), (lines[-1], lines[-2:-1])):
        apart = not following or abs(row.base - following[0].base) > 1.4 * max(row.size, following[0].size)
        if apart and _PAGE_NUMBER.fullmatch(row.text) and row not in found:
            found.append(row)
    return found


def _keys(row: Line, page: int) -> set[Key]:
    """What a row is compared by: its words as they are, and with one number relative to the page's."""
    text, height = row.text, round(row.base / 4)
    keys = {(text, height)}
    for match in islice(_DIGITS.finditer(text), _MAX_NUMBERS):
        keys.add((f"{text[: match.start()]}#{int(match.group()) - page}{text[match.end() :]}", height))
    return keys


def _count(counts: Counter[Key], key: Key) -> int:
    """Pages with this row at this height, give or take a rounding step."""
    text, height = key
    return max(counts[key], counts[(text, height - 1)], counts[(text, height + 1)])
