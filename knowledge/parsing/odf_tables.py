"""Tables of OpenDocument files as grids, with repeated and covered cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from knowledge.parsing.odf import TABLE, count
from knowledge.parsing.tables import CellBudget, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_GROUPS: Final = frozenset((f"{TABLE}table-header-rows", f"{TABLE}table-rows", f"{TABLE}table-row-group"))
_CELL: Final = f"{TABLE}table-cell"
_COVERED: Final = f"{TABLE}covered-table-cell"
_WIDEST_SPAN: Final = 100


@dataclass(slots=True)
class Grid:
    rows: list[Row] = field(default_factory=list)
    marked: bool = False  # the file says that the first row is a header


def read_grid(table: _Element, budget: CellBudget, text: Callable[[_Element], str]) -> Grid:
    """Read the cells of a table with ``text``, each once. Cells at the end of a row that are empty are left out.

    :raises DocumentTooLarge: the cells, repetitions included, exceed the budget.
    """
    reader = _Reader(budget, text)
    grid = Grid(marked=table.get(f"{TABLE}use-first-row-styles") == "true")
    for row in _rows(table):
        times = count(row, f"{TABLE}number-rows-repeated")
        cells = reader.cells(row, times)
        if not any(cells):
            continue
        if not grid.rows and row.getparent().tag == f"{TABLE}table-header-rows":
            grid.marked = True
        grid.rows += [cells] * times
    return grid


def _rows(table: _Element) -> Iterator[_Element]:
    stack = list(reversed(table))
    while stack:
        child = stack.pop()
        if child.tag == f"{TABLE}table-row":
            yield child
        elif child.tag in _GROUPS:
            stack.extend(reversed(child))


class _Reader:
    """Reads rows one after the other and remembers the cells that reach down into the next ones."""

    def __init__(self, budget: CellBudget, text: Callable[[_Element], str]) -> None:
        self._budget = budget
        self._text = text
        self._row = 0
        self._merged: dict[int, tuple[str, int]] = {}  # by column: the text and the last row it covers

    def cells(self, row: _Element, times: int) -> Row:
        """The cells of a row up to the last that is not empty, paid for ``times``."""
        found: Row = []
        waiting: list[tuple[str | None, int]] = []  # empty cells, which count only if another follows
        column = 0
        for cell in row.iterchildren(_CELL, _COVERED):
            repeated = count(cell, f"{TABLE}number-columns-repeated")
            for value, length in self._runs(cell, column, repeated):
                waiting.append((value, length))
                if value:
                    for text, many in waiting:
                        self._budget.pay(text, times=many * times)
                        found += [text] * many
                    waiting.clear()
            column += repeated
        while waiting and waiting[-1][0] is not None:
            waiting.pop()
        for text, many in waiting:  # what the last cell spans
            self._budget.pay(times=min(many, _WIDEST_SPAN) * times)
            found += [text] * min(many, _WIDEST_SPAN)
        self._row += times
        return found

    def _runs(self, cell: _Element, column: int, repeated: int) -> list[tuple[str | None, int]]:
        """The values of the columns that a cell element stands for, as (value, number of columns)."""
        if cell.tag == _CELL:
            value = " ".join(self._text(cell).split())
            rows = count(cell, f"{TABLE}number-rows-spanned")
            if rows > 1 and value:
                self._merged[column] = (value, self._row + rows - 1)
            return [(value, repeated)]
        self._budget.pay(times=min(repeated, len(self._merged)))  # what the search below costs
        if repeated <= len(self._merged):
            above = [at for at in range(column, column + repeated) if at in self._merged]
        else:
            above = sorted(at for at in self._merged if column <= at < column + repeated)
        runs: list[tuple[str | None, int]] = []
        for at in above:
            value, last = self._merged[at]
            if self._row <= last:
                runs += [(None, at - column), (value, 1)]
                column, repeated = at + 1, repeated - (at + 1 - column)
        return [*runs, (None, repeated)]
