"""Writes paragraphs of PDF pages as canonical text, a box for each character kept beside it."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from knowledge.parsing.builder import BlockList
from knowledge.parsing.pdf_blocks import Paragraph
from knowledge.parsing.pdf_chars import LINE_END_HYPHEN, Run
from knowledge.parsing.pdf_order import CELL, Line, gap
from knowledge.types import Block, BlockKind, CharBoxes

_OPEN_KINDS = (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM)
_SENTENCE_END = re.compile(r"[.!?:;。！？…][\"'”’)\]]*$")
_NO_BOX = array("f", (0.0, 0.0, 0.0, 0.0))
_MAX_LEVELS = 4


@dataclass(slots=True)
class _Draft:
    kind: BlockKind
    start: int
    end: int
    size: float
    page_first: int
    page_last: int


class PdfWriter:
    """Grows the text page by page; a paragraph may go on over a column or page border."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._boxes: array[float] = array("f")
        self._pages: array[int] = array("H")
        self._drafts: list[_Draft] = []
        self._last_line = ""  # as set, its line-end hyphen still marked

    def __len__(self) -> int:
        return self._length

    def continues(self, paragraph: Paragraph) -> bool:
        """Whether this paragraph is the rest of the one written last."""
        last = self._drafts[-1] if self._drafts else None
        if last is None or last.kind not in _OPEN_KINDS or paragraph.kind is not BlockKind.PARAGRAPH:
            return False
        low, high = sorted((last.size, paragraph.size))
        if high > 1.12 * low or _SENTENCE_END.search(self._last_line):
            return False
        return self._last_line.endswith((LINE_END_HYPHEN, ",")) or paragraph.text[:1].islower()

    @property
    def ends_with_heading(self) -> bool:
        return bool(self._drafts) and self._drafts[-1].kind is BlockKind.HEADING

    def write(self, paragraph: Paragraph, page: int, *, kind: BlockKind | None = None) -> None:
        """Append a block."""
        kind = kind or paragraph.kind
        rows = kind is BlockKind.TABLE_ROW and bool(self._drafts) and self._drafts[-1].kind is kind
        if self._length:
            self._filler("\n" if rows and self._drafts[-1].page_last == page else "\n\n")
        start = self._length
        self._lines(paragraph.lines, page, cell=CELL if kind is BlockKind.TABLE_ROW else " ")
        self._drafts.append(_Draft(kind, start, self._length, paragraph.size, page, page))

    def extend(self, paragraph: Paragraph, page: int) -> int:
        """Go on with the last block and return where the new page's text starts."""
        self._join(self._last_line, paragraph.lines[0].text)
        start = self._length
        self._lines(paragraph.lines, page, cell=" ")
        self._drafts[-1].end = self._length
        self._drafts[-1].page_last = page
        return start

    def _lines(self, lines: list[Line], page: int, *, cell: str) -> None:
        self._line(lines[0], page, cell)
        for above, line in pairwise(lines):
            self._join(above.text, line.text)
            self._line(line, page, cell)
        self._last_line = lines[-1].text

    def _line(self, line: Line, page: int, cell: str) -> None:
        self._run(line.runs[0], page)
        for before, run in pairwise(line.runs):
            between = gap(before, run)
            self._filler(cell if between == CELL else between)
            self._run(run, page)

    def _run(self, run: Run, page: int) -> None:
        text = run.text.replace(LINE_END_HYPHEN, "-")
        self._parts.append(text)
        self._length += len(text)
        self._boxes.extend(run.boxes)
        self._pages.extend(0 if c == " " else page for c in text)

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
        del self._boxes[-4:]
        self._pages.pop()

    def _filler(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
        self._boxes.extend(_NO_BOX * len(text))
        self._pages.extend([0] * len(text))

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
            )
        return tuple(result.blocks)

    def text(self) -> str:
        self._parts = ["".join(self._parts)]
        return self._parts[0]

    def boxes(self) -> CharBoxes:
        page = np.frombuffer(self._pages, dtype=np.uint16) if self._length else np.zeros(0, np.uint16)
        xyxy = np.frombuffer(self._boxes, dtype=np.float32) if self._length else np.zeros(0, np.float32)
        return CharBoxes(page=page, xyxy=xyxy.reshape(-1, 4))


def drops_hyphen(above: str, below: str) -> bool:
    """Whether a line-end hyphen only parted a word: not in "state-of-the-" or before a capital or digit."""
    word = above[:-1].rsplit(" ", 1)[-1]
    return below[:1].islower() and word[-1:].isalpha() and "-" not in word
