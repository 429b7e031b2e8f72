"""Reading order of one page: rows of runs, and columns where the page is set in columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from knowledge.parsing.pdf_chars import CELL_GAP, Run

_MIN_COLUMN_LINES = 5
_MIN_COLUMN_CHARACTERS = 14  # mean of what stands in a column: shorter ones are table cells
_MIN_COLUMN_FILL = 0.5  # median width of a column's lines over its own width
_MAX_DEPTH = 3
_MOST_PAIRS = 10_000  # of runs of two rows that are compared
_SCRIPT = 0.85  # of a word's size: from here down a number behind it is raised or lowered


@dataclass(slots=True)
class Line:
    """One row of runs within a region, in reading order."""

    runs: list[Run]
    x0: float
    x1: float
    base: float
    size: float
    _text: str | None = None

    @property
    def text(self) -> str:
        if self._text is None:
            parts = [self.runs[0].text]
            for before, run in pairwise(self.runs):
                parts += (gap(before, run), run.text)
            self._text = "".join(parts).replace(CELL, " ")
        return self._text

    @property
    def cells(self) -> int:
        """How many stretches of text stand apart on this line."""
        return 1 + sum(gap(before, run) == CELL for before, run in pairwise(self.runs))

    def parts(self) -> list[list[Run]]:
        """The runs of each cell."""
        result = [[self.runs[0]]]
        for before, run in pairwise(self.runs):
            if gap(before, run) == CELL:
                result.append([])
            result[-1].append(run)
        return result


CELL = "\t"


def gap(before: Run, run: Run) -> str:
    """What stands between two neighbours of a line: nothing, a space, or the border of a cell."""
    if before.rtl or run.rtl:
        return " "
    distance = (run.x0 - before.x1) / max(before.size, run.size)
    if distance > CELL_GAP:
        return CELL
    return " " if distance > 0.15 else ""


def make_line(runs: list[Run]) -> Line:
    characters = sum(len(run.text) for run in runs)
    rtl = sum(len(run.text) for run in runs if run.rtl) * 2 > characters
    runs = sorted(runs, key=lambda run: -run.x1 if rtl else run.x0)
    longest = max(runs, key=lambda run: len(run.text))
    return Line(runs=runs, x0=min(r.x0 for r in runs), x1=max(r.x1 for r in runs), base=longest.base, size=longest.size)


def rows(runs: list[Run]) -> list[Line]:
    """Group runs that stand on one base line, from top to bottom."""
    groups: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: -run.base):
        if groups:
            first = groups[-1][0]
            if first.base - run.base <= 0.4 * min(first.size, run.size):
                groups[-1].append(run)
                continue
        groups.append([run])
    return [make_line(group) for group in _with_scripts(groups)]


def _with_scripts(groups: list[list[Run]]) -> list[list[Run]]:
    """Move raised and lowered small characters to the row of the word they stand behind or before."""
    for above, below in pairwise(groups):
        for small, full in ((above, below), (below, above)):
            if not 0 < len(small) * len(full) < _MOST_PAIRS:
                continue
            if min(r.size for r in small) > _SCRIPT * max(r.size for r in full):
                continue
            moved = [run for run in small if any(_is_script_of(word, run) for word in full)]
            if moved and len(moved) == len(small):
                full += moved
                small.clear()
    return [group for group in groups if group]


def _is_script_of(word: Run, run: Run) -> bool:
    size = word.size
    if run.size > _SCRIPT * size or not -0.4 * size < run.base - word.base < 0.8 * size:
        return False
    return any(-0.3 * size <= distance <= 0.5 * size for distance in (run.x0 - word.x1, word.x0 - run.x1))


def regions(runs: list[Run], depth: int = 0) -> list[list[Line]]:
    """Cut a page into regions in reading order; a region is read line by line."""
    gutter = _gutter(runs) if depth < _MAX_DEPTH and len(runs) >= 2 * _MIN_COLUMN_LINES else None
    if gutter is None:
        return [rows(runs)] if runs else []
    result: list[list[Line]] = []
    for spanning, left, right in _bands(runs, gutter):
        if spanning:
            result.append(rows(spanning))
        result += regions(left, depth + 1)
        result += regions(right, depth + 1)
    return result


def _gutter(runs: list[Run]) -> float | None:
    """The x of the white strip between two columns of prose, or None."""
    x0, x1 = min(run.x0 for run in runs), max(run.x1 for run in runs)
    width = x1 - x0
    if width <= 0:
        return None
    coverage: Counter[int] = Counter()
    bins = 200
    for run in runs:
        first, last = int((run.x0 - x0) / width * bins), int((run.x1 - x0) / width * bins)
        coverage.update(range(first, min(last, bins - 1) + 1))
    middle = range(bins // 5, bins * 4 // 5)
    lowest = min(coverage[b] for b in middle)
    if lowest > 0.4 * len(runs):
        return None
    best = _widest([b for b in middle if coverage[b] <= lowest])
    gutter = x0 + (best[0] + best[1] + 1) / 2 / bins * width
    left = [run for run in runs if run.x1 <= gutter]
    right = [run for run in runs if run.x0 >= gutter]
    return gutter if _is_prose(left) and _is_prose(right) and _side_by_side(left, right) else None


def _widest(bins: list[int]) -> tuple[int, int]:
    best = (bins[0], bins[0])
    start = previous = bins[0]
    for current in bins[1:]:
        if current != previous + 1:
            start = current
        if current - start > best[1] - best[0]:
            best = (start, current)
        previous = current
    return best


def _is_prose(side: list[Run]) -> bool:
    lines = rows(side)
    if len(lines) < _MIN_COLUMN_LINES:
        return False
    width = max(line.x1 for line in lines) - min(line.x0 for line in lines)
    characters = sum(len(run.text) for run in side) / len(side)
    fill = median(line.x1 - line.x0 for line in lines) / max(width, 1.0)
    return characters >= _MIN_COLUMN_CHARACTERS and fill >= _MIN_COLUMN_FILL


def _side_by_side(left: list[Run], right: list[Run]) -> bool:
    overlap = min(max(r.base for r in left), max(r.base for r in right)) - max(
        min(r.base for r in left), min(r.base for r in right)
    )
    return overlap > 3 * median(run.size for run in left)


def _bands(runs: list[Run], gutter: float) -> list[tuple[list[Run], list[Run], list[Run]]]:
    """Bands from top to bottom: what spans the gutter, then what stands left and right below it."""
    result: list[tuple[list[Run], list[Run], list[Run]]] = [([], [], [])]
    for run in sorted(runs, key=lambda run: -run.base):
        spanning, left, right = result[-1]
        if run.x0 < gutter < run.x1:
            if left or right:
                result.append(([run], [], []))
            else:
                spanning.append(run)
        elif run.x1 <= gutter:
            left.append(run)
        else:
            right.append(run)
    return result
