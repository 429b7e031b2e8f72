"""Footnotes: small lines at the foot of a page or column that begin with a number or a sign."""

from __future__ import annotations

import re

from knowledge.parsing.pdf_blocks import Paragraph
from knowledge.parsing.pdf_order import Line
from knowledge.types import BlockKind

_SMALL = 0.93  # of the body's size
_MARK = re.compile(r"(?:\d{1,3}|[*†‡§¶]{1,3}|[a-z](?=\s))(?:[.)\]])?\s*(?=.*[^\W\d_]{2})")
_MOST_CELLS = 2  # the mark may stand apart


def split_notes(lines: list[Line], *, body_size: float, middle: float) -> tuple[list[Line], list[Paragraph]]:
    """Part the footnotes from the lines of one region; ``middle`` is the height of the middle of the page.

    They are the small lines after the last line of full size, from the first that begins with a mark on.
    """
    foot = len(lines)
    while foot and lines[foot - 1].size <= _SMALL * body_size and lines[foot - 1].base < middle:
        foot -= 1
    alone = foot == 0  # small throughout: a list of sources, unless its numbers are raised
    first = next((n for n in range(foot, len(lines)) if _begins(lines[n], raised=alone)), None)
    if first is None:
        return lines, []
    raised = _begins(lines[first], raised=True)
    notes: list[Paragraph] = []
    for line in lines[first:]:
        if not notes or _begins(line, raised=raised):
            notes.append(Paragraph(BlockKind.FOOTNOTE, [line]))
        else:
            notes[-1].lines.append(line)
    return lines[:first], notes


def _begins(line: Line, *, raised: bool) -> bool:
    """Whether a line begins with the mark of a note, set smaller than the note where ``raised``."""
    mark = _MARK.match(line.text)
    if mark is None or len(mark.group()) == len(line.text) or line.cells > _MOST_CELLS:
        return False
    first = line.runs[0]
    apart = len(line.runs) > 1 and first.size <= 0.85 * line.size and len(first.text) <= 3
    return bool(first.raised or apart) or (not raised and mark.group()[-1:].isspace() and not line.text[:1].isalpha())
