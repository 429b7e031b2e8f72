from __future__ import annotations

import time

import pytest
from office import of_format, unmet
from sheet_files import HEAD, NAMESPACES, ods_cell, ods_of, ods_rows, zip_of

from knowledge.errors import (
    DocumentDamaged,
    DocumentEncrypted,
    DocumentRefused,
    DocumentTooLarge,
    DocumentWithoutText,
)
from knowledge.types import BlockKind

PRICES = ods_rows([["Item", "Price"], ["Pen", 3], ["Cup", 5.5]])


@pytest.mark.parametrize("expected", of_format("ods"))
def test_real_spreadsheets(parse, expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_sheets_are_headings_over_records(parse, shown) -> None:
    document = parse(ods_of({'It\'s "A"': PRICES, "Empty": "", "B": PRICES}, title="Shop"), "a.ods")
    assert shown(document)[:3] == [
        ("heading", "It's \"A\""), ("table_row", "Item: Pen; Price: 3"), ("table_row", "Item: Cup; Price: 5.5"),
    ]  # fmt: skip
    assert [b.heading_path for b in document.blocks][-1] == ("B",)
    assert (document.title, document.parser, document.warnings) == ("Shop", "ods", ())
    assert document.blocks[2].attrs["range"] == "A3:B3"


def test_values_are_taken_as_they_are_shown(parse, shown) -> None:
    body = ods_rows([["Kind", "Value"]])
    for kind, stored, text in (
        ("percentage", "0.125", "12.5 %"), ("currency", "3", "3,00 €"), ("date", "2024-05-01", "1. Mai 2024"),
        ("boolean", "true", "WAHR"), ("float", "0.333333333", "0.33"),
    ):  # fmt: skip
        attributes = f'office:value-type="{kind}" office:value="{stored}"'
        body += f"<table:table-row>{ods_cell(kind)}<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell></table:table-row>"
    assert [text for _, text in shown(parse(ods_of({"S": body}), "a.ods"), BlockKind.TABLE_ROW)] == [
        "Kind: percentage; Value: 12.5 %", "Kind: currency; Value: 3,00 €", "Kind: date; Value: 1. Mai 2024",
        "Kind: boolean; Value: WAHR", "Kind: float; Value: 0.33",
    ]  # fmt: skip


def test_spaces_tabs_links_and_paragraphs_of_a_cell(parse) -> None:
    inner = (
        '<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d <text:span>e<text:a>f</text:a>g</text:span>h</text:p>'
        "<text:p>second</text:p>"
    )
    body = f"<table:table-row><table:table-cell>{inner}</table:table-cell></table:table-row>"
    assert parse(ods_of({"S": body}), "a.ods").text == "S\n\na b c d efgh second"


def test_repeated_cells_and_rows_stand_where_they_are(parse, shown) -> None:
    body = (
        '<table:table-row table:number-rows-repeated="4"><table:table-cell table:number-columns-repeated="1024"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="2"/>'
        + ods_cell(7, "table:number-columns-repeated='3'")
        + "</table:table-row>"
        '<table:table-row table:number-rows-repeated="1048570"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    document = parse(ods_of({"S": body}), "a.ods")
    assert shown(document, BlockKind.TABLE_ROW) == [("table_row", "7; 7; 7")] * 2
    assert [b.attrs["range"] for b in document.blocks[1:]] == ["C5:E5", "C6:E6"]


def test_repetitions_beyond_a_sheet_are_refused_at_once(parse) -> None:
    def repeated(rows: str, columns: str) -> bytes:
        cell = ods_cell("x", f'table:number-columns-repeated="{columns}"')
        return ods_of({"S": f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row>'})

    started = time.process_time()
    with pytest.raises(DocumentTooLarge, match="2,000,000 cells"):
        parse(repeated("1000000", "16384"), "a.ods")
    with pytest.raises(DocumentDamaged, match="16,384 cells"):
        parse(repeated("1", "99999999999999"), "a.ods")
    with pytest.raises(DocumentDamaged, match="1,048,576 rows"):
        parse(repeated("99999999999999", "1"), "a.ods")
    assert time.process_time() - started < 10
    assert parse(repeated("-5", "zwei"), "a.ods").text == "S\n\nx"


def test_merged_and_bold_header_cells(parse, shown) -> None:
    body = (
        "<table:table-row>"
        + ods_cell("Team", "table:number-rows-spanned='2'")
        + ods_cell("Points", "table:number-columns-spanned='2'")
        + "<table:covered-table-cell/></table:table-row>"
        f"<table:table-row><table:covered-table-cell/>{ods_cell('2023')}{ods_cell('2024')}</table:table-row>"
    ) + ods_rows([["Blues", 10, 12]])
    assert shown(parse(ods_of({"S": body}), "a.ods"), BlockKind.TABLE_ROW) == [
        ("table_row", "Team: Blues; Points 2023: 10; Points 2024: 12")
    ]
    bold = 'table:style-name="bold"'
    body = f"<table:table-row>{ods_cell('Term', bold)}{ods_cell('Meaning', bold)}</table:table-row>" + ods_rows(
        [["API", "a door"]]
    )
    assert "Term: API; Meaning: a door" in parse(ods_of({"S": body}), "a.ods").text


def test_hidden_sheets_rows_and_columns_are_read_and_marked(parse) -> None:
    columns = '<table:table-column/><table:table-column table:visibility="collapse" table:number-columns-repeated="3"/>'
    row = f'<table:table-row table:visibility="filter">{ods_cell("Ink")}{ods_cell(9)}</table:table-row>'
    document = parse(ods_of({"S": columns + PRICES + row, "T": PRICES}, styles={"T": "gone"}), "a.ods")
    assert [b.attrs.get("hidden", False) for b in document.blocks] == [False, False, False, True, True, True, True]
    assert document.warnings == (
        "Hidden sheets were read as well: “T” is hidden in the workbook.",
        "The sheet “S” has 1 hidden row, which was read as well.",
        "The sheet “S” has hidden columns, which were read as well: B.",
    )


def test_comments_are_notes_and_not_part_of_the_cell(parse, shown) -> None:
    note = (
        "<office:annotation><dc:creator>Zoë</dc:creator><text:p>too</text:p><text:p>dear</text:p></office:annotation>"
    )
    body = f"<table:table-row><table:table-cell/><table:table-cell>{note}<text:p>Pen</text:p></table:table-cell></table:table-row>"
    document = parse(ods_of({"S": body}), "a.ods")
    assert shown(document)[1:] == [("paragraph", "Pen"), ("note", "Comment on B1 by Zoë: too dear")]


def test_text_boxes_are_paragraphs(parse, shown) -> None:
    box = "<draw:frame><draw:text-box><text:p>In a</text:p><text:p>box</text:p></draw:text-box></draw:frame>"
    body = f"<table:shapes>{box}</table:shapes><table:table-row><table:table-cell>{box}</table:table-cell></table:table-row>"
    assert shown(parse(ods_of({"S": body + PRICES}), "a.ods"), BlockKind.PARAGRAPH) == [("paragraph", "In a\nbox")] * 2


def test_copies_of_other_files_are_left_out(parse) -> None:
    data = ods_of({"S": PRICES, "'file:///x.ods'#$A": PRICES}, styles={"'file:///x.ods'#$A": "ta_extref"})
    assert "file:" not in parse(data, "a.ods").text


def test_what_cannot_be_read_is_refused_in_words(parse) -> None:
    with pytest.raises(DocumentEncrypted):
        parse(ods_of({"S": PRICES}, manifest="<m:file-entry><m:encryption-data/></m:file-entry>"), "a.ods")
    with pytest.raises(DocumentDamaged, match=r"content\.xml is not valid XML"):
        parse(ods_of({"S": "<table:table-row>"}), "a.ods")
    with pytest.raises(DocumentDamaged, match=r"content\.xml is missing"):
        parse(zip_of({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "meta.xml": "<a/>"}), "a.ods")
    with pytest.raises(DocumentWithoutText):
        parse(ods_of({"S": "<table:table-row/>"}), "a.ods")
    with pytest.raises(DocumentTooLarge, match="5 cells"):
        parse(ods_of({"S": PRICES}), "a.ods", cells=5)
    assert parse(ods_of({"S": PRICES}), "a.ods", cells=6)
    with pytest.raises(DocumentTooLarge, match="without a value"):
        parse(ods_of({"S": "<table:table-row><table:table-cell/></table:table-row>" * 16 + PRICES}), "a.ods", cells=6)


def test_a_dtd_is_refused(parse) -> None:
    content = f'{HEAD}<!DOCTYPE a [<!ENTITY e "x">]><office:document-content {NAMESPACES}>&e;</office:document-content>'
    with pytest.raises(DocumentRefused, match="DTD"):
        parse(zip_of({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content}), "a.ods")
