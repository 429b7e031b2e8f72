"""Tables of office files: the grid of their cells, within a budget, and its rows as blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.types import BlockKind

Row = list[str | None]  # None: a cell that the one on its left spans

_CHARACTERS_OF_A_CELL = 100
_LONGEST_HEADER = 80


class CellBudget:
    """How many cells a document may still have. Merged and repeated cells are paid for like others."""

    def __init__(self, cells: int) -> None:
        self._left = cells

    def pay(self, text: str | None = None, *, times: int = 1) -> None:
        """Pay for a cell before it is made; a long text costs more, since merging repeats it.

        :raises DocumentTooLarge: the budget is spent.
        """
        self._left -= times * (1 + len(text or "") // _CHARACTERS_OF_A_CELL)
        if self._left < 0:
            raise DocumentTooLarge("The document has more table cells than are accepted.")


def add_table(
    builder: TextBuilder, grid: Sequence[Row], *, marked: bool = False, attrs: Mapping[str, Any] | None = None
) -> None:
    """Append the rows as blocks; a first row that looks like a header names the cells below it.

    ``marked`` tells that the file itself calls the first row a header: then columns without a name are accepted.
    """
    builder.end_table()
    headers = _headers(grid[0], marked=marked) if len(grid) > 1 else []
    depth = 2 if headers and _has_second_header(grid) else 1
    if depth == 2:
        headers = joined_names(headers, [name or "" for name in grid[1]])
    unseen = unseen_columns(headers, grid[depth:])
    for number, row in enumerate(grid, start=1):
        if number <= depth and headers and not unseen:
            continue  # each of its words comes with a value
        names = headers if number > depth else []
        names = ["" if name == cell else name for name, cell in zip(names, row, strict=False)]  # merged with its header
        text, spans = format_row(names, [cell or "" for cell in row])
        builder.add(BlockKind.TABLE_ROW, text, attrs={**(attrs or {}), "row": number}, cells=spans)
    builder.end_table()


def joined_names(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """The names of two header rows, one read after the other; a cell that reaches over both is named once."""
    pairs = zip_longest(upper, lower, fillvalue="")
    return [above if below in ("", above) else f"{above} {below}".strip() for above, below in pairs]


def unseen_columns(names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> set[int]:
    """The columns that have a name and never a value: their words would come nowhere."""
    unseen = {column for column, name in enumerate(names) if name}
    for row in rows:
        unseen.difference_update(column for column, cell in enumerate(row) if cell)
    return unseen


def _has_second_header(grid: Sequence[Row]) -> bool:
    """Whether the second row names the columns under the wide cells of the first, and nothing else.

    A column under no wide cell has to be merged with its name, or empty: in a record it would have a value.
    """
    if len(grid) < 3 or len(grid[0]) != len(grid[1]):
        return False
    upper, lower = grid[0], grid[1]
    wide = [name is None or following is None for name, following in zip(upper, [*upper[1:], ""], strict=True)]
    if all(wide) or not any(wide):
        return False
    names = [cell for cell, is_wide in zip(lower, wide, strict=True) if is_wide]
    alone = [(cell, name) for cell, name, is_wide in zip(lower, upper, wide, strict=True) if not is_wide]
    return all(_is_name(cell) for cell in names) and all(not cell or cell == name for cell, name in alone)


def _is_name(cell: str | None) -> bool:
    if not cell or len(cell) > _LONGEST_HEADER:
        return False
    return any(c.isalpha() for c in cell) or (len(cell) == 4 and cell.isdecimal())  # years name columns, too


def _headers(row: Row, *, marked: bool) -> list[str]:
    """The names of the columns, or nothing when the row is no header."""
    named: list[str] = []
    for cell in row:
        named.append((named[-1] if named else "") if cell is None else cell)
    texts = [name for name in named if name]
    brief = all(len(text) <= _LONGEST_HEADER for text in texts)
    brief = brief and (marked or not any(text.replace(".", "").isdigit() for text in texts))  # years name columns, too
    enough = len(texts) == len(named) or (marked and 2 * len(texts) >= len(named))
    return named if brief and enough and texts else []
