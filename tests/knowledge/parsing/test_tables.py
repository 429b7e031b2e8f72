from __future__ import annotations

import pytest

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.tables import CellBudget, Row, add_table


def rows(*grid: Row, marked: bool = False) -> list[str]:
    builder = TextBuilder()
    add_table(builder, grid, marked=marked)
    text = builder.document(parser="x", parser_version="1", media_type="x", title=None).text
    return text.split("\n")


def test_a_first_row_of_names_is_a_header() -> None:
    assert rows(["Item", "Price"], ["Desk", "10"], ["", "20"]) == ["Item: Desk; Price: 10", "Price: 20"]


@pytest.mark.parametrize("first", [["Item", ""], ["2023", "2024"], ["x" * 81, "y"], [None, ""]])
def test_a_first_row_that_names_no_columns_is_a_row(first: Row) -> None:
    assert rows(first, ["a", "b"])[-1] == "a; b"


def test_a_marked_header_may_have_gaps_and_numbers_but_not_long_texts() -> None:
    assert rows(["", "2023"], ["Oslo", "1"], marked=True) == ["Oslo; 2023: 1"]
    assert rows(["", "", "2023"], ["Oslo", "x", "1"], marked=True) == ["2023", "Oslo; x; 1"]
    assert rows(["x" * 81, "y"], ["a", "b"], marked=True) == [f"{'x' * 81}; y", "a; b"]


def test_a_header_names_every_column_that_it_spans() -> None:
    assert rows(["Sales", None, "Sum"], ["1", "2", "3"]) == ["Sales: 1; Sales: 2; Sum: 3"]


def test_two_rows_of_names_are_read_one_after_the_other() -> None:
    depth: Row = ["Pier", "Depth", None]
    assert rows(depth, ["Pier", "Low", "High"], ["North", "3", "7"]) == ["Pier: North; Depth Low: 3; Depth High: 7"]
    assert rows(depth, ["", "2023", "2024"], ["North", "3", "7"]) == ["Pier: North; Depth 2023: 3; Depth 2024: 7"]
    assert rows(depth, ["Pier", "Low", "High"], ["North", "3", ""]) == [
        "Pier; Depth", "Pier; Low; High", "Pier: North; Depth Low: 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "second", [["North", "Low", "High"], ["", "3", "7"], ["", "Low", ""], ["Pier", "x" * 81, "y"], ["Pier", "Low"]]
)
def test_a_record_under_wide_names_is_a_record(second: Row) -> None:
    found = rows(["Pier", "Depth", None], second, ["South", "4", "8"])
    assert len(found) == 2
    assert found[1] == "Pier: South; Depth: 4; Depth: 8"


def test_no_word_of_a_header_is_lost() -> None:
    assert rows(["Name", "Signature"], ["Ann", ""], ["Bob", ""]) == ["Name; Signature", "Name: Ann", "Name: Bob"]
    assert rows(["Name", "Date"], ["", ""]) == ["Name; Date"]
    assert rows(["Only", "row"]) == ["Only; row"]


def test_a_cell_merged_with_its_header_is_not_named_after_itself() -> None:
    assert rows(["Name", "Both"], ["Ann", "Both"]) == ["Name: Ann; Both"]


def test_longer_rows_keep_their_cells() -> None:
    assert rows(["A", "B"], ["1", "2", "3"]) == ["A: 1; B: 2; 3"]


def test_cells_are_paid_for_before_they_are_made() -> None:
    budget = CellBudget(10)
    budget.pay("short", times=8)
    budget.pay("x" * 199)
    with pytest.raises(DocumentTooLarge, match="table cells"):
        budget.pay()
    with pytest.raises(DocumentTooLarge):
        CellBudget(1_000).pay(times=10**18)
