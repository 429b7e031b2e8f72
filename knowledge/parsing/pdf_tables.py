"""Names for the cells of a table: which line holds the column names, and which name stands over each cell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge.parsing.pdf_chars import Run
from knowledge.parsing.pdf_order import Line

_DIGIT = re.compile(r"\d")
_MAX_NAME = 120


def cell_texts(line: Line) -> list[str]:
    """The words of each cell."""
    return [" ".join(run.text for run in part) for part in line.parts()]


def column_names(rows: Sequence[Line]) -> list[list[str]]:
    """For each row after the first, the name over each of its cells; nothing where the first row holds no names.

    A row of names is bold where the others are not, or holds no digit where most others do, and it has a name for
    all columns but one: a name over several columns says too little about each.
    """
    first, *others = rows
    names = cell_texts(first)
    columns = max((line.cells for line in others), default=0)
    if len(names) < max(2, columns - 1) or not columns or not _holds_names(first, names, others):
        return []
    spans = [(min(r.x0 for r in part), max(r.x1 for r in part)) for part in first.parts()]
    return [[_name_over(part, names, spans) for part in line.parts()] for line in others]


def _holds_names(first: Line, names: Sequence[str], others: Sequence[Line]) -> bool:
    if any(len(name) > _MAX_NAME for name in names):
        return False
    if _is_bold(first) and not all(map(_is_bold, others)):
        return True
    if any(map(_DIGIT.search, names)) or any(name.rstrip().endswith(":") for name in names):
        return False
    return 2 * sum(bool(_DIGIT.search(line.text)) for line in others) > len(others)


def _is_bold(line: Line) -> bool:
    return all(run.bold for run in line.runs)


def _name_over(part: Sequence[Run], names: Sequence[str], spans: Sequence[tuple[float, float]]) -> str:
    """The name whose place on the line a cell shares most of; no name is better than a wrong one."""
    x0, x1 = min(run.x0 for run in part), max(run.x1 for run in part)
    overlaps = [min(x1, right) - max(x0, left) for left, right in spans]
    best = max(range(len(spans)), key=overlaps.__getitem__)
    return names[best] if overlaps[best] > 0 else ""
