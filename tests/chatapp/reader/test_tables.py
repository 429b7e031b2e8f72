from __future__ import annotations

from typing import Any

import pytest

from chatapp.reader.presentation import ReaderPage, present
from chatapp.reader.tables import Grid
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.types import BlockKind, ParsedDocument

HEAD = ["Item", "Amount", "Note"]


def sheet_of(
    builder: TextBuilder,
    name: str,
    rows: list[list[str]],
    *,
    head: list[str] = HEAD,
    first: int = 2,
    first_column: int = 0,
) -> None:
    """Write rows as the readers of spreadsheets do: each names the columns its values stand in."""
    builder.add(BlockKind.HEADING, name, level=1)
    for number, row in enumerate(rows, start=first):
        text, cells = format_row(head, row)
        columns = [chr(ord("A") + first_column + at) for at, value in enumerate(row) if value]
        builder.add(BlockKind.TABLE_ROW, text, cells=cells, attrs={"sheet": name, "row": number, "columns": columns})


def parsed(*sheets: tuple[str, list[list[str]]]) -> ParsedDocument:
    builder = TextBuilder()
    for name, rows in sheets:
        sheet_of(builder, name, rows)
    return builder.document(parser="x", parser_version="1", media_type="x", title=None)


def page_of(document: ParsedDocument, words: str = "", **more: Any) -> ReaderPage:
    match = None
    if words:
        start = document.text.index(words)
        match = (start, start + len(words))
    return present(document.text, document.blocks, match=match, **more)


def grid_of(page: ReaderPage) -> Grid:
    (item,) = [item for item in page.items if item.kind == "grid"]
    assert item.grid is not None
    return item.grid


def words_of(grid: Grid) -> list[list[str]]:
    return [["".join(piece.text for piece in cell) for cell in row.cells] for row in grid.rows]


def lit(grid: Grid) -> list[str]:
    return [piece.text for row in grid.rows for cell in row.cells for piece in cell if piece.marked]


def test_rows_become_a_sheet_with_letters_numbers_and_names() -> None:
    page = page_of(parsed(("Rents", [["Rent", "1,200", ""], ["Heating", "", "extra"]])))
    grid = grid_of(page)
    assert [(column.letter, column.name) for column in grid.columns] == [("A", "Item"), ("B", "Amount"), ("C", "Note")]
    assert [row.number for row in grid.rows] == [2, 3]
    assert words_of(grid) == [["Rent", "1,200", ""], ["Heating", "", "extra"]]
    assert page.items[-1].sheet == "Rents"


def test_the_cited_cells_are_lit_and_no_other() -> None:
    document = parsed(("Rents", [["Rent", "1,200", "net"], ["Heating", "90", "net"]]))
    grid = grid_of(page_of(document, "Amount: 90"))
    assert lit(grid) == ["90"]
    assert [[cell for _, cell in row.shown] for row in grid.rows] == [[False] * 3, [False, True, False]]
    assert lit(grid_of(page_of(document, "Item: Rent; Amount: 1,200; Note: net"))) == ["Rent", "1,200", "net"]


def test_a_mark_on_the_words_of_the_head_alone_shows_the_row_as_written() -> None:
    document = parsed(("Rents", [["Rent", "1,200", "net"]]))
    (row,) = grid_of(page_of(document, "Amount")).rows
    assert row.whole
    assert "".join(piece.text for piece in row.cells[0]) == "Item: Rent; Amount: 1,200; Note: net"
    assert [piece.text for piece in row.cells[0] if piece.marked] == ["Amount"]


def test_only_the_sheet_of_the_match_is_shown_and_tabs_lead_to_all() -> None:
    document = parsed(("Rents", [["Rent", "1", ""]]), ("Costs", [["Water", "2", ""]]), ("Other", [["Else", "3", ""]]))
    page = page_of(document, "Water")
    assert [(sheet.name, sheet.shown) for sheet in page.sheets] == [("Rents", False), ("Costs", True), ("Other", False)]
    assert [item.kind for item in page.items] == ["heading", "grid"]
    assert words_of(grid_of(page)) == [["Water", "2"]]
    for sheet in page.sheets:
        assert [other.name for other in page_of(document, begin=sheet.start).sheets if other.shown] == [sheet.name]
    assert (page.sheets[0].start, page.sheets[1].start) == (0, document.text.index("Costs"))


def test_a_sheet_of_notes_alone_has_its_tab_too() -> None:
    builder = TextBuilder()
    for name in ("One", "Two"):
        builder.add(BlockKind.HEADING, name, level=1, attrs={"sheet": name})
        builder.add(BlockKind.NOTE, f"Comment on A1: {name} again", attrs={"sheet": name, "range": "A1", "row": 1})
    document = builder.document(parser="x", parser_version="1", media_type="x", title=None)
    page = page_of(document, "Two again")
    assert [(sheet.name, sheet.start, sheet.shown) for sheet in page.sheets] == [
        ("One", 0, False),
        ("Two", document.text.index("Two"), True),
    ]
    assert [item.kind for item in page.items] == ["heading", "aside"]


def test_a_long_sheet_steps_through_its_own_rows_only() -> None:
    rows = [[f"Item {n}", str(n), ""] for n in range(900)]
    document = parsed(("First", rows), ("Second", rows))
    page = page_of(document, begin=document.text.index("Second"))
    assert page.previous is None
    assert page.following is not None
    last = page_of(document, begin=document.text.index("Item: Item 600"))
    assert last.sheets[0].shown
    assert last.following is None or last.following < document.text.index("Second")


def test_columns_far_apart_leave_out_the_empty_ones_between() -> None:
    builder = TextBuilder()
    text, cells = format_row([], ["near", "far"])
    builder.add(BlockKind.TABLE_ROW, text, cells=cells, attrs={"row": 1, "columns": ["B", "ZZ"]})
    document = builder.document(parser="x", parser_version="1", media_type="x", title=None)
    assert [column.letter for column in grid_of(page_of(document)).columns] == ["B", "ZZ"]


def test_columns_near_each_other_keep_the_empty_ones_between() -> None:
    builder = TextBuilder()
    text, cells = format_row([], ["one", "two"])
    builder.add(BlockKind.TABLE_ROW, text, cells=cells, attrs={"row": 1, "columns": ["Y", "AB"]})
    grid = grid_of(page_of(builder.document(parser="x", parser_version="1", media_type="x", title=None)))
    assert [column.letter for column in grid.columns] == ["Y", "Z", "AA", "AB"]
    assert not grid.named


def test_a_second_table_with_other_names_gets_its_own_head() -> None:
    builder = TextBuilder()
    sheet_of(builder, "S", [["a", "1", ""]])
    text, cells = format_row(["Name", "Age"], ["Ann", "40"])
    builder.add(BlockKind.TABLE_ROW, text, cells=cells, attrs={"sheet": "S", "row": 9, "columns": ["A", "B"]})
    page = page_of(builder.document(parser="x", parser_version="1", media_type="x", title=None))
    grids = [item.grid for item in page.items if item.grid]
    assert [[column.name for column in grid.columns] for grid in grids] == [["Item", "Amount"], ["Name", "Age"]]


@pytest.mark.parametrize(
    "attrs",
    [
        {"row": 2},
        {"columns": ["A", "B"]},
        {"columns": ["A"], "cells": "no list"},
        {"columns": ["A"], "cells": [7]},
        {"columns": ["A"], "cells": [["0", None]]},
        {"columns": ["A"], "cells": [[0, 999]]},
        {"columns": ["a"], "cells": [[0, 4]]},
        {"columns": [7], "cells": [[0, 4]]},
        {"columns": ["ABCDEFG"], "cells": [[0, 4]]},
        {"columns": [], "cells": []},
    ],
)
def test_a_row_whose_columns_are_not_known_stays_a_plain_row(attrs: dict[str, Any]) -> None:
    builder = TextBuilder()
    builder.add(BlockKind.TABLE_ROW, "Item: Rent; Amount: 1,200", attrs=attrs)
    document = builder.document(parser="x", parser_version="1", media_type="x", title=None)
    page = page_of(document, "1,200")
    assert [item.kind for item in page.items] == ["table"]
    pieces = [piece for row in page.items[0].rows for cell in row for piece in cell]
    assert "".join(piece.text for piece in pieces).startswith("Item")
    assert [piece.text for piece in pieces if piece.marked] == ["1,200"]


def test_rows_with_and_without_columns_keep_their_order() -> None:
    builder = TextBuilder()
    sheet_of(builder, "S", [["a", "1", ""]])
    builder.add(BlockKind.TABLE_ROW, "loose", attrs={"row": 3})
    text, cells = format_row(HEAD, ["b", "2", ""])
    builder.add(BlockKind.TABLE_ROW, text, cells=cells, attrs={"sheet": "S", "row": 4, "columns": ["A", "B"]})
    page = page_of(builder.document(parser="x", parser_version="1", media_type="x", title=None))
    assert [item.kind for item in page.items] == ["heading", "grid", "table", "grid"]


def test_tables_side_by_side_are_sheets_of_their_own() -> None:
    builder = TextBuilder()
    sheet_of(builder, "S", [["a", "1", ""], ["b", "2", ""]])
    text, cells = format_row(["Code", "Meaning"], ["x", "ok"])
    builder.add(BlockKind.TABLE_ROW, text, cells=cells, attrs={"sheet": "S", "row": 2, "columns": ["H", "I"]})
    page = page_of(builder.document(parser="x", parser_version="1", media_type="x", title=None))
    grids = [item.grid for item in page.items if item.grid is not None]
    assert [[row.number for row in grid.rows] for grid in grids] == [[2, 3], [2]]
    assert [[column.name for column in grid.columns] for grid in grids] == [["Item", "Amount"], ["Code", "Meaning"]]
