"""Writes paragraphs of PDF pages as canonical text, a box for each character kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from knowledge.parsing.builder import BlockList
from knowledge.parsing.pdf_blocks import Paragraph, goes_on
from knowledge.parsing.pdf_chars import LINE_END_HYPHEN, Run, Single
from knowledge.parsing.pdf_order import CELL, Line, gap
from knowledge.types import Block, BlockKind, CharBoxes

_MAX_LEVELS = 4


@dataclass(slots=True)
class _Draft:
    kind: BlockKind
    start: int
    end: int
    size: float
    page_first: int
    page_last: int
    attrs: dict[str, Any] = field(default_factory=dict)


class PdfWriter:
    """Grows the text page by page; a paragraph may go on over a column or page border.

    Text, boxes and page numbers are kept in pieces of equal length and joined at the end.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._boxes: list[Single] = []
        self._pages: list[tuple[int, int]] = []  # page number and length of each piece
        self._drafts: list[_Draft] = []
        self._last_line = ""  # as set, its line-end hyphen still marked

    def __len__(self) -> int:
        return self._length

    def continues(self, paragraph: Paragraph) -> bool:
        """Whether this paragraph is the rest of the one written last."""
        last = self._drafts[-1] if self._drafts else None
        return last is not None and goes_on(last.kind, last.size, self._last_line, paragraph)

    @property
    def ends_with_heading(self) -> bool:
        return bool(self._drafts) and self._drafts[-1].kind is BlockKind.HEADING

    def write(self, paragraph: Paragraph, page: int, *, attrs: Mapping[str, Any] | None = None) -> None:
        """Append a block."""
        kind = paragraph.kind
        draft = self._begin(kind, page, paragraph.size, attrs)
        if kind is BlockKind.TABLE_ROW:
            draft.attrs["cells"] = self._row(paragraph.lines[0], page)
            if paragraph.header:
                draft.attrs["header"] = paragraph.header
        else:
            self._lines(paragraph.lines, page)
        draft.end = self._length

    def write_note(self, text: str, page: int) -> None:
        """Append words that do not stand on the page and have no boxes."""
        draft = self._begin(BlockKind.NOTE, page, 0.0, {"source": "annotation"})
        self._filler(text)
        self._last_line = text
        draft.end = self._length

    def _begin(self, kind: BlockKind, page: int, size: float, attrs: Mapping[str, Any] | None) -> _Draft:
        last = self._drafts[-1] if self._drafts else None
        if last is not None:
            rows = kind is BlockKind.TABLE_ROW and last.kind is kind
            self._filler("\n" if rows and last.page_last == page else "\n\n")
        draft = _Draft(kind, self._length, self._length, size, page, page, dict(attrs or {}))
        self._drafts.append(draft)
        return draft

    def extend(self, paragraph: Paragraph, page: int) -> int:
        """Go on with the last block and return where the new page's text starts."""
        self._join(self._last_line, paragraph.lines[0].text)
        start = self._length
        self._lines(paragraph.lines, page)
        self._drafts[-1].end = self._length
        self._drafts[-1].page_last = page
        return start

    def _lines(self, lines: list[Line], page: int) -> None:
        self._line(lines[0], page)
        for above, line in pairwise(lines):
            self._join(above.text, line.text)
            self._line(line, page)
        self._last_line = lines[-1].text

    def _line(self, line: Line, page: int) -> None:
        self._run(line.runs[0], page)
        for before, run in pairwise(line.runs):
            between = gap(before, run)
            self._filler(" " if between == CELL else between)
            self._run(run, page)

    def _row(self, line: Line, page: int) -> list[list[int]]:
        """Write a line of a table and return the range of each cell."""
        cells: list[list[int]] = []
        for part in line.parts():
            if cells:
                self._filler(CELL)
            start = self._length
            self._run(part[0], page)
            for before, run in pairwise(part):
                self._filler(gap(before, run))
                self._run(run, page)
            cells.append([start, self._length])
        self._last_line = line.text
        return cells

    def _run(self, run: Run, page: int) -> None:
        self._push(run.text.replace(LINE_END_HYPHEN, "-"), run.boxes, page)

    def _join(self, above: str, below: str) -> None:
        """Put a space between two lines, or take back the hyphen that parted a word."""
        if above.endswith(LINE_END_HYPHEN):
            if drops_hyphen(above, below):
                self._take_back()
        elif not (above.endswith("-") and len(above) > 1 and above[-2].isalpha() and below[:1].islower()):
            self._filler(" ")

    def _take_back(self) -> None:
        self._parts[-1] = self._parts[-1][:-1]
        self._length -= 1
        self._boxes[-1] = self._boxes[-1][:-1]
        page, length = self._pages[-1]
        self._pages[-1] = (page, length - 1)

    def _filler(self, text: str) -> None:
        if text:
            self._push(text, np.zeros((len(text), 4), dtype=np.float32), 0)

    def _push(self, text: str, boxes: Single, page: int) -> None:
        self._parts.append(text)
        self._length += len(text)
        self._boxes.append(boxes)
        self._pages.append((page, len(text)))

    def blocks(self) -> tuple[Block, ...]:
        """The blocks; the sizes of the headings make their levels."""
        sizes = sorted({round(d.size) for d in self._drafts if d.kind is BlockKind.HEADING}, reverse=True)
        text = self.text()
        result = BlockList()
        for draft in self._drafts:
            heading = draft.kind is BlockKind.HEADING
            result.add(
                draft.kind,
                draft.start,
                draft.end,
                level=min(sizes.index(round(draft.size)) + 1, _MAX_LEVELS) if heading else None,
                heading=text[draft.start : draft.end] if heading else "",
                pages=(draft.page_first, draft.page_last),
                attrs=draft.attrs,
            )
        return tuple(result.blocks)

    def text(self) -> str:
        return "".join(self._parts)

    def boxes(self) -> CharBoxes:
        """A box for each character; spaces and what cannot be seen have none."""
        if not self._length:
            return CharBoxes(page=np.zeros(0, np.uint16), xyxy=np.zeros((0, 4), np.float32))
        xyxy = np.concatenate(self._boxes)
        numbers, lengths = zip(*self._pages, strict=True)
        page = np.repeat(np.array(numbers, dtype=np.uint16), lengths)
        page[~xyxy.any(axis=1)] = 0
        return CharBoxes(page=page, xyxy=xyxy)


def drops_hyphen(above: str, below: str) -> bool:
    """Whether a line-end hyphen only parted a word: not in "state-of-the-" or before a capital or digit."""
    word = above[:-1].rsplit(" ", 1)[-1]
    return below[:1].islower() and word[-1:].isalpha() and "-" not in word
