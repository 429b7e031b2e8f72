"""Lines of a page to paragraphs, list items and table rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median

from knowledge.parsing.pdf_chars import LINE_END_HYPHEN
from knowledge.parsing.pdf_order import Line
from knowledge.parsing.pdf_tables import column_names
from knowledge.types import BlockKind

_BULLET = re.compile(r"(?:[•‣▪●○◦■□✓–·*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\([ivx]{1,5}\))(?:\s|$)")
_SENTENCE_END = re.compile(r"[.!?:;。！？…][\"'”’)\]]*$")
_HEADING_RATIO = 1.15
_MAX_HEADING = 200
_OPEN_KINDS = (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM)


@dataclass(slots=True)
class Paragraph:
    kind: BlockKind
    lines: list[Line] = field(default_factory=list)
    header: list[str] | None = None  # table rows: the name of each cell's column, "" where none is known

    @property
    def size(self) -> float:
        return self.lines[0].size

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


def is_open(kind: BlockKind, last_line: str) -> bool:
    """Whether a block of this kind that ends with this line may go on elsewhere."""
    return kind in _OPEN_KINDS and not _SENTENCE_END.search(last_line)


def goes_on(kind: BlockKind, size: float, last_line: str, paragraph: Paragraph) -> bool:
    """Whether a paragraph is the rest of a block of this kind, size and last line."""
    if not is_open(kind, last_line) or paragraph.kind is not BlockKind.PARAGRAPH:
        return False
    low, high = sorted((size, paragraph.size))
    if high > 1.12 * low:
        return False
    return last_line.endswith((LINE_END_HYPHEN, ",")) or paragraph.text[:1].islower()


def paragraphs(lines: list[Line], *, body_size: float) -> list[Paragraph]:
    """Group the lines of one region."""
    if not lines:
        return []
    tabular = _tabular(lines)
    right = max(line.x1 for line in lines)
    leading = _leading(lines)
    result: list[Paragraph] = []
    for number, line in enumerate(lines):
        if tabular[number]:
            result.append(Paragraph(BlockKind.TABLE_ROW, [line]))
            continue
        current = result[-1] if result else None
        if (
            current is None
            or current.kind is BlockKind.TABLE_ROW
            or _starts_new(current, line, right=right, leading=leading)
        ):
            kind = BlockKind.LIST_ITEM if _BULLET.match(line.text) else BlockKind.PARAGRAPH
            result.append(Paragraph(kind, [line]))
        else:
            current.lines.append(line)
    for paragraph in result:
        _mark(paragraph, body_size)
    for row, following in groupby(result, key=lambda p: p.kind):
        if row is BlockKind.TABLE_ROW:
            _name_columns(list(following))
    return result


def _name_columns(rows: list[Paragraph]) -> None:
    for row, names in zip(rows[1:], column_names([row.lines[0] for row in rows]), strict=False):
        row.header = names


def _mark(paragraph: Paragraph, body_size: float) -> None:
    """Tell headings: short, and set larger than the body or bold throughout."""
    if paragraph.kind is BlockKind.TABLE_ROW:
        return
    text = paragraph.text
    if len(text) > _MAX_HEADING or len(paragraph.lines) > 3 or text.endswith((".", ",", ";")):
        return
    bold = all(run.bold for line in paragraph.lines for run in line.runs)
    large = paragraph.size >= _HEADING_RATIO * body_size
    if sum(c.isalpha() for c in text) >= 2 and (
        large or (bold and paragraph.size >= 0.97 * body_size and not text.endswith(":") and len(paragraph.lines) == 1)
    ):
        paragraph.kind = BlockKind.HEADING


def _tabular(lines: list[Line]) -> list[bool]:
    """Lines of several cells that stand next to another such line."""
    cells = [line.cells > 1 and not _only_marked(line) and not any(run.rtl for run in line.runs) for line in lines]
    return [
        cell and ((number > 0 and cells[number - 1]) or (number + 1 < len(cells) and cells[number + 1]))
        for number, cell in enumerate(cells)
    ]


def _only_marked(line: Line) -> bool:
    """A bullet or number, then one stretch of text."""
    return len(line.runs) == 2 and len(line.runs[0].text) <= 6 and bool(_BULLET.match(line.runs[0].text + " "))


def _leading(lines: list[Line]) -> float:
    """The usual distance of base lines between neighbours of one size."""
    steps = [
        above.base - below.base
        for above, below in pairwise(lines)
        if abs(above.size - below.size) < 0.5 and above.base - below.base < 2.6 * above.size
    ]
    return median(steps) if steps else 0.0


def _starts_new(paragraph: Paragraph, line: Line, *, right: float, leading: float) -> bool:
    before = paragraph.lines[-1]
    low, high = sorted((before.size, line.size))
    step = before.base - line.base
    if high > 1.12 * low or _BULLET.match(line.text):
        return True
    if step > max(1.25 * leading, 1.1 * line.size) + 0.5 or step < -line.size:
        return True
    ended = bool(_SENTENCE_END.search(before.text))
    if line.x0 > before.x0 + 0.8 * line.size and not any(run.rtl for run in line.runs):  # first-line indent
        hanging = len(paragraph.lines) == 1 and paragraph.kind is BlockKind.LIST_ITEM
        if not hanging and (ended or len(paragraph.lines) > 1):
            return True
    return _had_room(before, line, right) and (ended or not line.text[:1].islower())


def _had_room(before: Line, line: Line, right: float) -> bool:
    """The first word of this line would have fitted on the line before: a break was wanted."""
    if any(run.rtl for run in (*before.runs, *line.runs)):
        return False
    first = line.text.split(" ", 1)[0]
    width = (line.x1 - line.x0) * (len(first) + 1) / max(len(line.text), 1)
    return before.x1 + 1.15 * width + 0.5 * line.size < right
