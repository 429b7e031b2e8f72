"""Tables found among the cells of a sheet, and the records made of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from knowledge.errors import DocumentTooLarge
from knowledge.parsing import ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.sheet import Note, Sheet, SheetWriter, letters, one_line, record_text
from knowledge.parsing.sheet_tables import BOLD, DATE, NUMBER, TEXT, Merge, Row
from knowledge.types import ParsedDocument


def rows_of(grid: Sequence[Sequence[object]], *, bold: int = 0) -> list[Row]:
    """Rows from values: None is no cell, numbers are numbers, "1.2.2024" with dots is a date."""
    rows = []
    for number, values in enumerate(grid, start=1):
        cells = [(column, value) for column, value in enumerate(values, start=1) if value is not None]
        kinds = [
            (NUMBER if not isinstance(v, str) else DATE if v.count(".") == 2 else TEXT)
            | (BOLD if number <= bold else 0)
            for _, v in cells
        ]
        if cells:
            rows.append(Row(number, tuple(c for c, _ in cells), [str(v) for _, v in cells], bytes(kinds)))
    return rows


def written(sheet: Sheet, **limits: int) -> tuple[ParsedDocument, tuple[str, ...]]:
    builder = TextBuilder()
    writer = SheetWriter(builder, ParseLimits(**limits))
    writer.sheet(sheet)
    document = builder.document(parser="t", parser_version="1", media_type="t", title=None)
    return document, writer.finish()


def lines(grid: Sequence[Sequence[object]], *, merges: Sequence[Merge] = (), bold: int = 0) -> list[str]:
    """The blocks under the sheet's name; each starts with a letter for its kind."""
    document, _ = written(Sheet(name="S", rows=rows_of(grid, bold=bold), merges=list(merges)))
    signs = {"table_row": "", "caption": "C ", "paragraph": "P "}
    return [signs[b.kind.value] + document.text[b.start : b.end] for b in document.blocks[1:]]


@pytest.mark.parametrize(
    ("column", "name"), [(1, "A"), (26, "Z"), (27, "AA"), (702, "ZZ"), (703, "AAA"), (16384, "XFD")]
)
def test_columns_have_their_letters(column: int, name: str) -> None:
    assert letters(column) == name


def test_a_line_is_folded_and_has_no_hidden_controls() -> None:
    assert one_line(" a\r\n b\tc\x00\x07\ud800 ") == "a b c"
    assert one_line("Zoë 漢字 👩‍👩‍👧") == "Zoë 漢字 👩‍👩‍👧"


def test_a_record_knows_where_its_values_are() -> None:
    text, spans = record_text({2: "Name: ", 5: "Age: "}, (2, 3, 5), ["Anna", "x", "30"])
    assert text == "Name: Anna; x; Age: 30"
    assert [text[a:b] for a, b in spans] == ["Anna", "x", "30"]


def test_a_table_of_numbers_under_names() -> None:
    assert lines([["Item", "Price"], ["Pen", 3], ["Cup", 5]]) == ["Item: Pen; Price: 3", "Item: Cup; Price: 5"]


def test_blocks_carry_sheet_range_row_and_columns() -> None:
    document, _ = written(
        Sheet(name='It\'s "mine"', rows=rows_of([[None, "Item", None, "Price"], [None, "Pen", None, 3]]))
    )
    heading, row = document.blocks
    assert (heading.kind.value, heading.level, document.text[: heading.end]) == ("heading", 1, 'It\'s "mine"')
    assert row.heading_path == ('It\'s "mine"',)
    assert {key: row.attrs[key] for key in ("sheet", "range", "row", "columns")} == {
        "sheet": 'It\'s "mine"', "range": "B2:D2", "row": 2, "columns": ["B", "D"],
    }  # fmt: skip
    assert [document.text[a:b] for a, b in row.attrs["cells"]] == ["Pen", "3"]


def test_a_title_stands_above_its_table() -> None:
    assert lines([["Sales"], ["in thousands"], ["Item", "Price"], ["Pen", 3]]) == [
        "C Sales", "C in thousands", "Item: Pen; Price: 3",
    ]  # fmt: skip


def test_islands_below_each_other_have_their_own_names() -> None:
    grid = [["Item", "Price"], ["Pen", 3], [], ["Notes on the prices"], [], ["Town", "People"], ["Rome", 2_800_000]]
    assert lines(grid) == ["Item: Pen; Price: 3", "P Notes on the prices", "Town: Rome; People: 2800000"]


def test_tables_side_by_side_are_told_apart_by_a_wide_gap() -> None:
    grid = [
        ["Sales", None, None, None, "Costs"],
        ["Item", "Price", None, None, "Item", "Cost"],
        ["Pen", 3, None, None, "Ink", 1],
        ["Cup", 5],
    ]
    assert lines(grid) == ["C Sales", "Item: Pen; Price: 3", "Item: Cup; Price: 5", "C Costs", "Item: Ink; Cost: 1"]


def test_tables_side_by_side_are_told_apart_by_names_that_come_again() -> None:
    grid = [["Item", "Price", None, "Item", "Price"], ["Pen", 3, None, "Ink", 1]]
    assert lines(grid) == ["Item: Pen; Price: 3", "Item: Ink; Price: 1"]


def test_a_narrow_empty_column_does_not_take_values_from_their_record() -> None:
    assert lines([["Item", "Colour", None, "Price", "Stock"], ["Pen", "red", None, 3, 9]]) == [
        "Item: Pen; Colour: red; Price: 3; Stock: 9"
    ]
    assert lines([["Name:", None, None, "Anna"], ["Town:", None, None, "Rome"]]) == ["Name:; Anna", "Town:; Rome"]


def test_merged_header_cells_name_every_column_they_span() -> None:
    grid = [["Team", "Points", None, "Goals", None], [None, "2023", "2024", "2023", "2024"], ["Blues", 10, 12, 30, 31]]
    merges = [(1, 1, 2, 1), (1, 2, 1, 3), (1, 4, 1, 5)]
    assert lines(grid, merges=merges) == [
        "Team: Blues; Points 2023: 10; Points 2024: 12; Goals 2023: 30; Goals 2024: 31"
    ]
    assert lines([["Team", "Points", None], ["Blues", 10, 12]], merges=[(1, 2, 1, 3)]) == [
        "Team: Blues; Points: 10; Points: 12"
    ]


def test_a_value_merged_downwards_stands_on_every_record_once() -> None:
    grid = [["Region", "Town", "People"], ["North", "Oslo", 700], [None, "Bergen", 290], ["South", "Rome", 2800]]
    assert lines(grid, merges=[(2, 1, 3, 1)])[1] == "Region: North; Town: Bergen; People: 290"
    assert lines([["x" * 300, 1], [None, 2]], merges=[(1, 1, 2, 1)]) == [
        f"{'x' * 300}; 1",
        "2",
    ]  # no label: not repeated
    assert lines([["a", "b"], ["Title"], ["c"]], merges=[(2, 1, 2, 2)])[1:] == ["Title", "c"]


def test_years_and_dates_name_columns() -> None:
    assert lines([["Region", 2023, 2024], ["North", 5, 6]]) == ["Region: North; 2023: 5; 2024: 6"]
    assert lines([[None, "1.1.2024", "1.2.2024"], ["Rent", 5, 6]]) == ["Rent; 1.1.2024: 5; 1.2.2024: 6"]
    assert lines([["North", 5, 6], ["South", 7, 8]]) == ["North; 5; 6", "South; 7; 8"]
    assert lines([["North", 2023, 2023], ["South", 7, 8]])[0] == "North; 2023; 2023"


def test_text_tables_need_a_reason_for_a_header() -> None:
    assert lines([["Term", "Meaning"], ["API", "a door"]]) == ["Term; Meaning", "API; a door"]
    assert lines([["Term", "Meaning"], ["API", "a door"]], bold=1) == ["Term: API; Meaning: a door"]
    assert lines([["Term", "Meaning"], ["API", "a door"]], bold=2)[0] == "Term; Meaning"
    assert lines([["Name", "Town", "Job"], ["Anna", "Rome", "cook"]]) == ["Name: Anna; Town: Rome; Job: cook"]
    assert lines([["Anna", "Anna", "Job"], ["Ben", "Rome", "cook"]])[0] == "Anna; Anna; Job"


def test_a_row_alone_and_a_table_without_names_are_plain() -> None:
    assert lines([["Item", "Price"]]) == ["Item; Price"]
    assert lines([[1, 2], [3, 4]]) == ["1; 2", "3; 4"]


def test_one_column_is_numbers_under_a_name_or_lines_of_text() -> None:
    assert lines([["Price"], [3], [5]]) == ["Price: 3", "Price: 5"]
    assert lines([["Read me first."], ["Then this."]]) == ["P Read me first.", "P Then this."]


def test_names_of_empty_columns_are_not_lost() -> None:
    assert lines([["Item", "Price", "Fax"], ["Pen", 3]]) == ["Item; Price; Fax", "Item: Pen; Price: 3"]


def test_lines_over_a_header_that_are_no_title_are_kept_as_they_are() -> None:
    grid = [["Printed", "Monday"], ["Item", "Price", "Stock"], ["Pen", 3, 9]]
    assert lines(grid) == ["Printed; Monday", "Item: Pen; Price: 3; Stock: 9"]


def test_long_texts_name_no_column() -> None:
    assert lines([["x" * 200, "Price"], ["Pen", 3]]) == [f"{'x' * 200}; Price", "Pen; 3"]


def test_colons_of_names_are_not_doubled() -> None:
    assert lines([["Item:", "Price :"], ["Pen", 3]]) == ["Item: Pen; Price: 3"]


def test_hidden_things_are_read_marked_and_told() -> None:
    rows = rows_of([["Item", "Price"], ["Pen", 3], ["Cup", 5], [None, 9]])
    rows[1].hidden = True
    document, warnings = written(Sheet(name="S", rows=rows, hidden=True, hidden_columns=[(2, 16384)]))
    assert all(block.attrs["hidden"] for block in document.blocks)
    assert warnings == (
        "Hidden sheets were read as well: “S” is hidden in the workbook.",
        "The sheet “S” has 1 hidden row, which was read as well.",
        "The sheet “S” has hidden columns, which were read as well: B.",
    )
    document, _ = written(Sheet(name="S", rows=rows, hidden_columns=[(2, 2)]))
    assert ["hidden" in block.attrs for block in document.blocks] == [False, True, False, True]


def test_many_hidden_sheets_are_told_in_one_sentence() -> None:
    for count, end in ((5, "“4” are hidden"), (7, "“4” and 2 more are hidden")):
        writer = SheetWriter(TextBuilder(), ParseLimits())
        for number in range(count):
            writer.sheet(Sheet(name=str(number), rows=rows_of([["x"]]), hidden=True))
        assert end in writer.finish()[0]
        assert len(writer.finish()[0].split("Hidden")) == 2


def test_notes_come_after_the_cells_in_order() -> None:
    notes = [Note(9, 1, "", "later"), Note(2, 3, "Zoë", "why?")]
    document, _ = written(Sheet(name="S", rows=rows_of([["x"]]), notes=notes, boxes=["A box"]))
    texts = [(b.kind.value, document.text[b.start : b.end]) for b in document.blocks[2:]]
    assert texts == [("paragraph", "A box"), ("note", "Comment on C2 by Zoë: why?"), ("note", "Comment on A9: later")]
    assert document.blocks[3].attrs == {"sheet": "S", "range": "C2", "row": 2, "author": "Zoë"}


def test_an_empty_sheet_leaves_nothing() -> None:
    builder = TextBuilder()
    SheetWriter(builder, ParseLimits()).sheet(Sheet(name="S", rows=[]))
    assert len(builder) == 0


def test_rows_out_of_order_and_doubled_are_put_together() -> None:
    rows = rows_of([["Item", "Price"], ["Pen", 3]])
    doubled = Row(2, (2, 3), ["9", "new"], bytes((NUMBER, TEXT)))
    document, _ = written(Sheet(name="S", rows=[rows[1], doubled, rows[0]]))
    assert document.text == "S\n\nItem: Pen; Price: 3; new"


def test_merges_that_overlap_without_end_are_stopped() -> None:
    rows = [Row(n, (2,), ["x"], b"\0") for n in range(2, 2_000)]
    rows.insert(0, Row(1, tuple(range(1, 1001)), ["v"] * 1000, bytes(1000)))
    merges = [(1, column, 1_048_576, 16_384) for column in range(1, 1001)]
    with pytest.raises(DocumentTooLarge, match="100,000 cells"):
        written(Sheet(name="S", rows=rows, merges=merges), cells=100_000)
    wide = Sheet(name="S", rows=rows[:1] + [Row(2, (1,), ["1"], bytes((NUMBER,)))], merges=merges)
    started = time.process_time()
    written(wide)
    assert time.process_time() - started < 10


def test_repeated_names_and_values_cannot_outgrow_the_text_limit() -> None:
    grid = [["n" * 100, "Price"], *[["x", n] for n in range(20_000)]]
    with pytest.raises(DocumentTooLarge, match=r"exceeds 1 MB\."):
        written(Sheet(name="S", rows=rows_of(grid)), inflated_bytes=1024 * 1024)


def test_a_band_with_thousands_of_gaps_is_linear() -> None:
    rows = [Row(n, tuple(range(1, 16_384, 2)), ["x"] * 8_192, bytes(8_192)) for n in (1, 2, 3)]
    started = time.process_time()
    document, _ = written(Sheet(name="S", rows=rows))
    assert time.process_time() - started < 20
    assert document.text.count("x") == 3 * 8_192
