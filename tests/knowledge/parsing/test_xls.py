from __future__ import annotations

import random
import struct

import pytest
from office import of_format, unmet
from sheet_files import record, xls_cell, xls_of

from knowledge.errors import (
    DocumentEncrypted,
    DocumentError,
    DocumentTooLarge,
    KnowledgeError,
    ParserCrashed,
)
from knowledge.parsing import ParseLimits
from knowledge.types import BlockKind


def check_words(error: KnowledgeError) -> None:
    assert error.message.endswith(".")


PRICES = b"".join(
    xls_cell(row, column, value)
    for row, values in enumerate([["Item", "Price"], ["Pen", 3], ["Cup", 5.5]])
    for column, value in enumerate(values)
)


def styled(row: int, column: int, value: float, style: int) -> bytes:
    return record(0x0203, struct.pack("<HHHd", row, column, style, value))


@pytest.mark.parametrize("expected", of_format("xls"))
def test_real_workbooks(parse, expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_sheets_are_headings_over_records(parse, shown) -> None:
    document = parse(xls_of({"Prices": PRICES, "Empty": b"", "漢字": PRICES}), "a.xls")
    assert shown(document) == [
        ("heading", "Prices"), ("table_row", "Item: Pen; Price: 3"), ("table_row", "Item: Cup; Price: 5.5"),
        ("heading", "漢字"), ("table_row", "Item: Pen; Price: 3"), ("table_row", "Item: Cup; Price: 5.5"),
    ]  # fmt: skip
    assert (document.parser, document.warnings) == ("xls", ())


def test_a_table_away_from_the_corner_keeps_its_place(parse) -> None:
    cells = xls_cell(2, 1, "Name") + xls_cell(2, 2, "Born") + xls_cell(3, 1, "Anna") + xls_cell(3, 2, ("date", 36526.0))
    row = parse(xls_of({"S": cells}), "a.xls").blocks[1]
    assert (row.attrs["range"], row.attrs["row"], row.attrs["columns"]) == ("B4:C4", 4, ["B", "C"])


def test_every_kind_of_value(parse, shown) -> None:
    failed = record(0x0006, struct.pack("<HHH", 4, 1, 0) + b"\2\0\x2a\0\0\0\xff\xff" + bytes(6) + struct.pack("<H", 0))
    cells = b"".join(
        xls_cell(row, 0, f"k{row}")
        + (value if isinstance(value, bytes) and len(value) > 1 else xls_cell(row, 1, value))
        for row, value in enumerate(["Value", True, b"\x07", ("date", 45000.5), failed, 0.1 + 0.2])
    )
    texts = [text for _, text in shown(parse(xls_of({"S": cells}), "a.xls"), BlockKind.TABLE_ROW)]
    assert texts == [
        "k0: k1; Value: TRUE", "k0: k2; Value: #DIV/0!", "k0: k3; Value: 2023-03-15", "k0: k4; Value: #N/A", "k0: k5; Value: 0.3",
    ]  # fmt: skip


def test_number_formats_show_what_people_see(parse) -> None:
    def code(number: int, text: str) -> bytes:
        return record(0x041E, struct.pack("<HHB", number, len(text), 0) + text.encode("latin-1"))

    wide = record(0x041E, struct.pack("<HHB", 167, 3, 1) + "0 €".encode("utf-16-le"))
    before = code(164, "0.0%") + code(165, "d.m.yyyy h:mm") + code(166, "#,##0.00") + wide
    before += b"".join(record(0x00E0, struct.pack("<HH16x", 0, number)) for number in (0, 164, 165, 166, 167, 20))
    cells = (
        styled(0, 0, 0.5, 1)
        + styled(0, 1, 45000.75, 2)
        + styled(0, 2, 1234.5, 3)
        + styled(0, 3, 7, 4)
        + styled(0, 4, 0.5, 5)
    )
    assert (
        parse(xls_of({"S": cells}, before=before), "a.xls").text == "S\n\n50.0%; 15.3.2023 18:00; 1,234.50; 7 €; 12:00"
    )


def test_numbers_packed_together_keep_their_formats(parse) -> None:
    packed = b"".join(struct.pack("<HI", style, number << 2 | 2) for style, number in ((0, 3), (1, 4)))
    before = b"".join(record(0x00E0, struct.pack("<HH16x", 0, number)) for number in (0, 9))
    data = xls_of({"S": record(0x00BD, struct.pack("<HH", 0, 2) + packed + struct.pack("<H", 3))}, before=before)
    document = parse(data, "a.xls")
    assert (document.text, document.blocks[1].attrs["range"]) == ("S\n\n3; 400%", "C1:D1")


def test_merged_header_cells(parse, shown) -> None:
    cells = (
        xls_cell(0, 0, "Team")
        + xls_cell(0, 1, "Points")
        + xls_cell(1, 0, "Blues")
        + xls_cell(1, 1, 10)
        + xls_cell(1, 2, 12)
    )
    document = parse(xls_of({"S": cells + record(0x00E5, struct.pack("<H4H", 1, 0, 0, 1, 2))}), "a.xls")
    assert shown(document, BlockKind.TABLE_ROW) == [("table_row", "Team: Blues; Points: 10; Points: 12")]


def test_hidden_things_are_read_marked_and_told(parse) -> None:
    row = record(0x0208, struct.pack("<HHHHHHHH", 2, 0, 2, 0, 0, 0, 0x20, 0))
    column = record(0x007D, struct.pack("<HHHHHH", 1, 1, 0, 0, 1, 0))
    comment = record(0x001C, struct.pack("<HHHHH", 0, 0, 0, 1, 0))
    document = parse(xls_of({"S": column + row + PRICES + comment, "T": PRICES}, hidden=["T"]), "a.xls")
    assert [b.attrs.get("hidden", False) for b in document.blocks] == [False, False, True, True, True, True]
    assert document.warnings == (
        "Hidden sheets were read as well: “T” is hidden in the workbook.",
        "The sheet “S” has a comment, not read from XLS workbooks.",
        "The sheet “S” has 1 hidden row, which was read as well.",
        "The sheet “S” has hidden columns, which were read as well: B.",
    )


def test_chart_sheets_are_left_out_and_told(parse) -> None:
    document = parse(xls_of({"Curve": b"", "S": PRICES}, kinds={"Curve": 2}), "a.xls")
    assert document.warnings == ("The sheet “Curve” holds no cells (a chart, a dialog or macros) and was left out.",)
    assert document.blocks[1].attrs["range"] == "A2:B2"


@pytest.mark.parametrize("key", [struct.pack("<HHH", 0, 0x1234, 0x5678), struct.pack("<HHH", 1, 1, 1) + bytes(48)])
def test_a_password_is_told(parse, key: bytes) -> None:
    with pytest.raises(DocumentEncrypted):
        parse(xls_of({"S": PRICES}, before=record(0x002F, key)), "a.xls")


def test_a_protected_workbook_is_no_encrypted_one(parse) -> None:
    assert "Item: Pen" in parse(xls_of({"S": PRICES}, before=record(0x0012, b"\1\0")), "a.xls").text


def test_cells_too_many_or_too_far_apart_are_refused(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="5 cells"):
        parse(xls_of({"S": PRICES}), "a.xls", cells=5)
    far = xls_cell(0, 0, 1) + xls_cell(65_535, 255, 2)
    with pytest.raises(DocumentTooLarge, match="too far apart"):
        parse(xls_of({"S": far}), "a.xls")
    with pytest.raises(DocumentTooLarge, match="too far apart"):
        parse(xls_of({"S": xls_cell(0, 0, 1) + xls_cell(65_535, 40_000, 2)}), "a.xls")
    lonely = parse(xls_of({"S": xls_cell(65_535, 255, "far")}), "a.xls")
    assert (lonely.text, lonely.blocks[1].attrs["range"]) == ("S\n\nfar", "IV65536")


def test_damaged_workbooks_end_in_words_and_the_next_is_read(child) -> None:
    """calamine may take the whole child along; the next document is read all the same."""
    whole = xls_of({"S": PRICES})
    chance = random.Random(3)
    limits = ParseLimits(memory_bytes=200 * 1024 * 1024, cpu_seconds=20, wall_seconds=60)
    for size in (700, 1600, 4000):
        with pytest.raises(DocumentError):
            child.parse(whole[:size], filename="a.xls", limits=limits)
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 8, 60))):
            data[chance.randrange(1536, 2400)] = chance.randrange(256)
        try:
            child.parse(bytes(data), filename="a.xls", limits=limits)
        except (DocumentError, ParserCrashed) as err:
            check_words(err)
    assert child.parse(whole, filename="a.xls", limits=limits).text.startswith("S\n\nItem: Pen")
