from __future__ import annotations

from knowledge.parsing.pdf_chars import Run
from knowledge.parsing.pdf_order import Line, make_line
from knowledge.parsing.pdf_tables import column_names


def row(*cells: tuple[float, str], bold: bool = False) -> Line:
    """Cells at their left edges; a character is five points wide."""
    return make_line([Run(direction=0, size=10.0, text=t, x0=x, x1=x + 5 * len(t), bold=bold) for x, t in cells])


HEAD = row((0, "Place"), (100, "Depth"), (200, "Fee"))


def test_each_cell_gets_the_name_above_it() -> None:
    rows = [row((0, "Basin"), (100, "4.7 m"), (200, "74")), row((0, "Quay"), (205, "12"))]
    assert column_names([HEAD, *rows]) == [["Place", "Depth", "Fee"], ["Place", "Fee"]]


def test_a_bold_row_names_columns_of_words_too() -> None:
    words = row((0, "Basin"), (100, "deep"), (200, "dear"))
    assert column_names([HEAD, words]) == []
    bold = row((0, "Place"), (100, "Depth"), (200, "Fee"), bold=True)
    assert column_names([bold, words]) == [["Place", "Depth", "Fee"]]


def test_a_row_of_values_names_nothing() -> None:
    assert column_names([row((0, "Basin"), (100, "4")), row((0, "Quay"), (100, "5"))]) == []
    assert column_names([row((0, "Place:"), (100, "Basin")), row((0, "Fee:"), (100, "5"))]) == []
    assert column_names([HEAD]) == []


def test_a_name_over_several_columns_names_none() -> None:
    wide = row((0, "Two strings"), (100, "Values of all comparators"))
    values = row((0, "JON"), (50, "JAN"), (100, "0.1"), (150, "0.2"), (200, "0.3"))
    assert column_names([wide, values]) == []


def test_a_cell_that_stands_under_no_name_has_none() -> None:
    head = row((100, "Hours"), (200, "Cost"))
    assert column_names([head, row((0, "Labour"), (100, "2"), (200, "300"))]) == [["", "Hours", "Cost"]]


def test_rows_of_a_page_carry_cells_and_names(parse, make_pdf) -> None:
    cells = [("Code", "Place", "Count")] + [(f"SKU-{n}", "Hall", str(n * 7)) for n in range(4)]
    page = [(72 + 150 * c, 700 - 16 * r, 10, cell) for r, row_ in enumerate(cells) for c, cell in enumerate(row_)]
    document = parse(make_pdf([page]), "a.pdf")
    first, *others = document.blocks
    assert "header" not in first.attrs
    for number, block in enumerate(others):
        assert block.attrs["header"] == ["Code", "Place", "Count"]
        assert [document.text[a:b] for a, b in block.attrs["cells"]] == [f"SKU-{number}", "Hall", str(number * 7)]
