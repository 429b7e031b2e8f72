"""Tables of HTML: which hold values, and the cells of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from knowledge.parsing.html_nodes import fold, skipped, text_of
from knowledge.parsing.tables import joined_names

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_MOST_HEADERS = 3  # rows of names


def tables_around_tables(root: LexborNode) -> frozenset[int]:
    """The ``mem_id`` of every table that holds another one. Asked once: asking each table takes quadratic time."""
    found = set()
    for table in root.css("table"):
        above = table.parent
        while above is not None and above.tag != "table":
            above = above.parent
        if above is not None:
            found.add(above.mem_id)
    return frozenset(found)


def is_data_table(table: LexborNode, around: frozenset[int]) -> bool:
    """A table of values; one that holds tables (``around``), headings or several paragraphs is layout."""
    if table.mem_id in around or skipped(table):
        return False
    if (table.attributes.get("role") or "") in ("presentation", "none"):
        return False
    if table.css_first("td p, td div, td ul, td ol") is not None and table.css_first("td + td, th") is None:
        return False  # a single column, as mails put around everything
    return not table.css("h1, h2, h3, td p + p")


def rows_of(table: LexborNode) -> list[tuple[list[str], bool]]:
    """The cells of every row and whether it is a row of headers; a spanning cell is repeated in each row."""
    below: dict[int, tuple[int, str]] = {}  # column -> rows still covered, text
    return [_row(tr, below) for tr in table.css("tr")]


def header_of(rows: Sequence[tuple[list[str], bool]]) -> tuple[list[str], list[str], int]:
    """The titles over a table, the names of its columns, and how many rows both take.

    A title is one header cell as wide as the table. Under header cells that span columns, further header rows name
    the columns one by one: the names of all are read one after the other.
    """
    titles: list[str] = []
    while len(titles) < len(rows) - 1 and _is_title(*rows[len(titles)]):
        titles.append(rows[len(titles)][0][0])
    depth = len(titles)
    if len(rows) - depth < 2 or len(rows[depth][0]) < 2 or not rows[depth][1]:
        return titles, [], depth
    names = rows[depth][0]
    while depth + 2 < len(rows) and depth + 1 < len(titles) + _MOST_HEADERS and rows[depth + 1][1]:
        if not any(left and left == right for left, right in pairwise(rows[depth][0])):
            break  # no cell spans columns
        depth += 1
        names = joined_names(names, rows[depth][0])
    return titles, names, depth + 1


def _is_title(cells: list[str], is_header: bool) -> bool:
    return is_header and len(cells) > 1 and bool(cells[0]) and len(set(cells)) == 1


def _row(tr: LexborNode, below: dict[int, tuple[int, str]]) -> tuple[list[str], bool]:
    cells: list[str] = []
    headers = 0
    in_head = tr.parent is not None and tr.parent.tag == "thead"
    nodes = [node for node in tr.iter() if node.tag in ("td", "th") and not skipped(node)]
    for node in nodes:
        _fill_from_above(cells, below)
        text = fold(text_of(node)).replace("\n", " ")
        columns, rows = _span(node, "colspan"), _span(node, "rowspan")
        is_header = in_head or node.tag == "th"
        headers += is_header
        if rows > 1:
            below.update((len(cells) + n, (rows - 1, text if n == 0 or is_header else "")) for n in range(columns))
        cells += [text] * columns if is_header else [text] + [""] * (columns - 1)
    _fill_from_above(cells, below)
    return cells, in_head or (headers > 0 and headers == len(nodes))


def _fill_from_above(cells: list[str], below: dict[int, tuple[int, str]]) -> None:
    """Append the cells that reach down from rows above at this column."""
    while (spanning := below.get(len(cells))) is not None:
        rows, text = spanning
        if rows > 1:
            below[len(cells)] = (rows - 1, text)
        else:
            del below[len(cells)]
        cells.append(text)


def _span(node: LexborNode, name: str) -> int:
    value = node.attributes.get(name) or "1"
    return max(1, min(int(value), 100)) if value.isdigit() and value.isascii() and len(value) < 9 else 1
