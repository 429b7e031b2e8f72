from __future__ import annotations

import io
import re
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office import of_format, unmet
from sheet_files import HEAD, MAIN, cell, grid, relations_xml, styles_xml, xlsx_of, zip_of

from knowledge.errors import (
    DocumentDamaged,
    DocumentEncrypted,
    DocumentError,
    DocumentRefused,
    DocumentTooLarge,
    DocumentWithoutText,
    UnsupportedFormat,
)
from knowledge.parsing import ParseLimits
from knowledge.parsing.xlsx_parts import position, unescaped
from knowledge.types import BlockKind

PRICES = grid([["Item", "Price"], ["Pen", 3], ["Cup", 5.5]])


def rows(parse, shown, data: bytes, **limits: int) -> list[str]:
    return [text for _, text in shown(parse(data, "a.xlsx", **limits), BlockKind.TABLE_ROW)]


@pytest.mark.parametrize("expected", of_format("xlsx"))
def test_real_workbooks(parse, expected) -> None:
    if expected.row["expect"] != "ok":
        with pytest.raises(DocumentEncrypted):
            parse(expected.data, expected.file.name)
        return
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_sheets_are_headings_over_records(parse, shown) -> None:
    document = parse(xlsx_of({"Prices": PRICES, "Empty": "", "More": PRICES}, title="Shop"), "a.xlsx")
    assert shown(document) == [
        ("heading", "Prices"), ("table_row", "Item: Pen; Price: 3"), ("table_row", "Item: Cup; Price: 5.5"),
        ("heading", "More"), ("table_row", "Item: Pen; Price: 3"), ("table_row", "Item: Cup; Price: 5.5"),
    ]  # fmt: skip
    assert (document.title, document.warnings, document.parser) == ("Shop", (), "xlsx")
    assert document.blocks[-1].heading_path == ("More",)
    assert document.blocks[-1].attrs["range"] == "A3:B3"


def test_macro_workbooks_and_templates_are_the_same_format(parse) -> None:
    for name in ("a.xlsm", "a.xltx"):
        assert "Pen" in parse(xlsx_of({"S": PRICES}), name).text


def test_texts_shared_rich_and_phonetic(parse, shown) -> None:
    shared = (
        "<si><t>Plain</t></si><si><r><t>Ri</t></r><r><rPr><b/></rPr><t>ch</t></r></si>"
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si><si><t>a_x000D_\nb_x005F_x0041_ _xD83D__xDE00__xD83D_</t></si>"
    )
    body = "".join(f'<row r="{n + 1}"><c r="A{n + 1}" t="s"><v>{n}</v></c></row>' for n in range(4))
    texts = [text for _, text in shown(parse(xlsx_of({"S": body}, shared=shared), "a.xlsx"), BlockKind.PARAGRAPH)]
    assert texts == ["Plain", "Rich", "東京", "a b_x0041_ 😀\ufffd"]


def test_a_shared_text_that_is_not_there_is_told(parse) -> None:
    body = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>7</v></c><c r="C1" t="s"><v>-1</v></c></row>'
    document = parse(xlsx_of({"S": body}, shared="<si><t>x</t></si>"), "a.xlsx")
    assert document.text == "S\n\nx"
    assert document.warnings == ("The sheet “S” has cells whose text is missing from the file: B1, C1.",)


def test_every_kind_of_value(parse, shown) -> None:
    values = [
        ["Kind", "Value"], ["yes", True], ["no", False], ["error", '<v>#DIV/0!</v>'], ["sum", "<f>SUM(A1)</f><v>7</v>"],
        ["text", "inline"], ["number", 0.1 + 0.2],
    ]  # fmt: skip
    body = grid(values).replace('<c r="B4" s="0">', '<c r="B4" t="e">')
    body += '<row r="8"><c r="A8" t="str"><f>A1</f><v>made</v></c><c r="B8" t="d"><v>2024-05-01T00:00:00</v></c></row>'
    body += '<row r="9"><c r="A9" t="str"><f>A1</f><v></v></c><c r="B9" t="new"><v>odd</v></c></row>'
    assert rows(parse, shown, xlsx_of({"S": body})) == [
        "Kind: yes; Value: TRUE", "Kind: no; Value: FALSE", "Kind: error; Value: #DIV/0!", "Kind: sum; Value: 7",
        "Kind: text; Value: inline", "Kind: number; Value: 0.3", "Kind: made; Value: 2024-05-01", "Value: odd",
    ]  # fmt: skip


def test_formulas_are_never_evaluated(parse) -> None:
    body = grid([["<f>cmd|'/C calc'!A0</f>", "@SUM(1)", "<f>1+1</f><v/>", '<f t="shared" si="0"/>']])
    body += '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    document = parse(xlsx_of({"S": body}), "a.xlsx")
    assert document.text == "S\n\n=cmd|'/C calc'!A0; @SUM(1); =1+1\n\nx"
    assert document.warnings == (
        "The sheet “S” has 2 formulas without a stored result, shown as written.",
        "The sheet “S” has 1 formula copied without a result, left out.",
    )


def test_number_formats_show_what_people_see(parse, shown) -> None:
    codes = ["0.0%", "#,##0.00", "d.m.yyyy", "[$€-407] #,##0"]
    body = "<row>" + "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in "WXYZ") + "</row><row>"
    body += cell("A2", 0.123, 2) + cell("B2", 1234.5, 3) + cell("C2", 45000, 4) + cell("D2", 99, 5) + "</row>"
    assert rows(parse, shown, xlsx_of({"S": body}, codes=codes)) == ["W: 12.3%; X: 1,234.50; Y: 15.3.2023; Z: € 99"]
    assert "Y: 16.3.2027" in parse(xlsx_of({"S": body}, codes=codes, date1904=True), "a.xlsx").text


def test_an_unknown_style_shows_the_number(parse) -> None:
    assert parse(xlsx_of({"S": f"<row>{cell('A1', 5, 99)}</row>"}), "a.xlsx").text == "S\n\n5"


def test_bold_names_make_a_header(parse, shown) -> None:
    texts = [["Term", "Meaning"], ["API", "a door"]]
    assert rows(parse, shown, xlsx_of({"S": grid(texts, bold=1)})) == ["Term: API; Meaning: a door"]
    assert rows(parse, shown, xlsx_of({"S": grid(texts)})) == ["Term; Meaning", "API; a door"]


def test_merged_cells(parse, shown) -> None:
    body = grid([["Team", "Points", None], [None, "2023", "2024"], ["Blues", 10, 12], ["Reds", 7, 8]])
    sheet = f'<sheetData>{body}</sheetData><mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/></mergeCells>'
    assert rows(parse, shown, xlsx_of({"S": sheet})) == [
        "Team: Blues; Points 2023: 10; Points 2024: 12", "Team: Reds; Points 2023: 7; Points 2024: 8",
    ]  # fmt: skip


def test_merges_that_overlap_or_lie_outside_are_harmless(parse) -> None:
    refs = ["A1:B2", "B2:A1", "A1:XFD1048576", "A1", "ZZZZ9:B1", "B1:C3", "", "A0:A5"]
    merges = "".join(f'<mergeCell ref="{ref}"/>' for ref in refs)
    document = parse(xlsx_of({"S": f"<sheetData>{PRICES}</sheetData><mergeCells>{merges}</mergeCells>"}), "a.xlsx")
    assert document.text.endswith("Pen; Price: 3\nItem: Cup; Price: 5.5")


def test_hidden_sheets_rows_and_columns_are_read_and_marked(parse) -> None:
    body = f'<cols><col min="2" max="2" hidden="1"/></cols><sheetData>{PRICES}</sheetData>'
    body = body.replace('<row r="3">', '<row r="3" hidden="1">')
    data = xlsx_of({"Open": body, "Gone": PRICES, "Deep": PRICES}, states={"Gone": "hidden", "Deep": "veryHidden"})
    document = parse(data, "a.xlsx")
    assert document.warnings == (
        "Hidden sheets were read as well: “Gone”, “Deep” are hidden in the workbook.",
        "The sheet “Open” has 1 hidden row, which was read as well.",
        "The sheet “Open” has hidden columns, which were read as well: B.",
    )
    assert [b.attrs.get("hidden", False) for b in document.blocks] == [False, False, True] + [True] * 6


COMMENTS = f"""{HEAD}<comments xmlns="{MAIN}"><authors><author>Zoë</author><author>tc={{1}}</author></authors><commentList>
<comment ref="B2" authorId="0"><text><r><t>Zoë:</t></r><r><t>
too dear</t></r></text></comment>
<comment ref="A1" authorId="1"><text><t>[Threaded comment] Your version cannot show this.</t></text></comment>
<comment ref="C9" authorId="7"><text><t>nobody</t></text></comment><comment ref="?"><text><t>lost</t></text></comment>
</commentList></comments>"""
THREADED = f"""{HEAD}<ThreadedComments xmlns="t"><threadedComment ref="A1" personId="{{p}}"><text>Which items?</text></threadedComment>
<threadedComment ref="A1" personId="{{q}}"><text>All.</text></threadedComment></ThreadedComments>"""


def test_comments_are_notes_with_their_cell(parse, shown) -> None:
    parts = {
        "xl/worksheets/_rels/sheet1.xml.rels": relations_xml(
            [("comments", "../comments1.xml"), ("threadedComment", "../t.xml")]
        ),
        "xl/comments1.xml": COMMENTS,
        "xl/t.xml": THREADED,
    }
    document = parse(xlsx_of({"S": PRICES}, parts=parts), "a.xlsx")
    assert shown(document, BlockKind.NOTE) == [
        ("note", "Comment on A1: Which items?"), ("note", "Comment on A1: All."), ("note", "Comment on B2 by Zoë: too dear"),
        ("note", "Comment on C9: nobody"),
    ]  # fmt: skip
    assert document.blocks[-2].attrs["range"] == "B2"


def test_people_of_threaded_comments_are_named(parse) -> None:
    entries = [("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml"), ("person", "persons/p.xml")]
    parts = {
        "xl/_rels/workbook.xml.rels": relations_xml(entries),
        "xl/persons/p.xml": f'{HEAD}<personList xmlns="t"><person displayName="Ben" id="{{q}}"/></personList>',
        "xl/worksheets/_rels/sheet1.xml.rels": relations_xml([("threadedComment", "../t.xml")]),
        "xl/t.xml": THREADED,
    }
    assert "Comment on A1 by Ben: All." in parse(xlsx_of({"S": PRICES}, parts=parts), "a.xlsx").text


def test_text_boxes_are_paragraphs(parse, shown) -> None:
    drawing = (
        f'{HEAD}<x:wsDr xmlns:x="x" xmlns:a="a"><x:sp><x:txBody><a:p><a:r><a:t>First </a:t></a:r><a:r><a:t>line</a:t></a:r></a:p>'
        "<a:p><a:r><a:t>Second</a:t></a:r></a:p></x:txBody></x:sp></x:wsDr>"
    )
    parts = {
        "xl/worksheets/_rels/sheet1.xml.rels": relations_xml([("drawing", "../drawings/d.xml")]),
        "xl/drawings/d.xml": drawing,
    }
    document = parse(xlsx_of({"S": PRICES}, parts=parts), "a.xlsx")
    assert shown(document, BlockKind.PARAGRAPH) == [("paragraph", "First line\nSecond")]


def test_chart_sheets_are_left_out_and_told(parse) -> None:
    document = parse(xlsx_of({"S": PRICES, "Curve": ""}, kinds={"Curve": "chartsheet"}), "a.xlsx")
    assert document.warnings == ("The sheet “Curve” holds only a chart and was left out.",)


def test_strict_workbooks_and_cells_without_positions(parse, shown) -> None:
    body = PRICES.replace(' r="', ' x="')
    data = xlsx_of({"S": body})
    strict = {"xl/worksheets/sheet1.xml": f'{HEAD}<s:worksheet xmlns:s="http://purl.oclc.org/ooxml/spreadsheetml/main"><s:sheetData>'
              + body.replace("</", "</s:").replace("<", "<s:").replace("<s:/s:", "</s:") + "</s:sheetData></s:worksheet>"}  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        made = {name: source.read(name) for name in source.namelist()}
    for parts in (made, {**made, **strict}):
        assert rows(parse, shown, zip_of(parts)) == ["Item: Pen; Price: 3", "Item: Cup; Price: 5.5"]


def test_cells_out_of_order_doubled_or_outside(parse) -> None:
    body = (
        '<row r="1"><c r="C1"><v>3</v></c><c r="A1"><v>1</v></c><c r="A1"><v>9</v></c><c r="XFE1"><v>8</v></c></row>'
        '<row r="9999999"><c><v>7</v></c></row>'
    )
    document = parse(xlsx_of({"S": body}), "a.xlsx")
    assert document.text == "S\n\n9; 3"
    assert document.warnings == ("The sheet “S” has 2 cells outside any sheet's bounds, which were left out.",)


def test_names_of_sheets_may_hold_anything(parse) -> None:
    names = ["It's", 'say "so"', "a & b <c>", "_x0041_", "漢字"]
    document = parse(xlsx_of(dict.fromkeys(names, PRICES)), "a.xlsx")
    assert [b.attrs["sheet"] for b in document.blocks if b.level] == ["It's", 'say "so"', "a & b <c>", "A", "漢字"]


# --- damaged and hostile -----------------------------------------------------------------------


def test_broken_xml_in_one_sheet_names_its_part(parse) -> None:
    with pytest.raises(DocumentDamaged, match=r"xl/worksheets/sheet2\.xml is not valid XML"):
        parse(xlsx_of({"A": PRICES, "B": "<row><c></row>"}), "a.xlsx")


def test_missing_parts_are_told(parse) -> None:
    whole = xlsx_of({"S": PRICES})
    with zipfile.ZipFile(io.BytesIO(whole)) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    sheet = parts.pop("xl/worksheets/sheet1.xml")
    with pytest.raises(DocumentDamaged, match="sheet1"):
        parse(zip_of(parts), "a.xlsx")
    parts |= {"xl/worksheets/sheet1.xml": sheet, "xl/_rels/workbook.xml.rels": relations_xml([])}
    with pytest.raises(DocumentDamaged, match="its sheet “S” is missing"):
        parse(zip_of(parts), "a.xlsx")
    for name in ("xl/styles.xml", "_rels/.rels", "[Content_Types].xml"):
        parts.pop(name, None)
    parts["xl/_rels/workbook.xml.rels"] = relations_xml([("worksheet", "worksheets/sheet1.xml")])
    assert "Item: Pen" in parse(zip_of(parts), "a.xlsx").text
    with pytest.raises(DocumentDamaged, match=r"xl/workbook\.xml is missing"):
        parse(zip_of({"xl/other.xml": "<a/>"}), "a.xlsx")
    with pytest.raises(UnsupportedFormat, match="XLSB"):
        parse(
            zip_of({"_rels/.rels": relations_xml([("officeDocument", "xl/workbook.bin")]), "xl/workbook.bin": b""}),
            "a.xlsx",
        )


def test_a_dtd_is_refused_wherever_it_stands(parse) -> None:
    dtd = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "boom">]>'
    sheet = f'{dtd}<worksheet xmlns="{MAIN}"><sheetData><row><c t="str"><v>a&e;</v></c></row></sheetData></worksheet>'
    for name, body in {
        "xl/worksheets/sheet1.xml": sheet, "xl/worksheets/late.xml": dtd + "<a/>",
        "xl/sharedStrings.xml": f'{dtd}<sst xmlns="{MAIN}"><si><t>&e;</t></si></sst>',
    }.items():  # fmt: skip
        with pytest.raises(DocumentRefused, match="DTD"):
            parse(xlsx_of({"S": PRICES}, shared="<si/>", parts={name: body}), "a.xlsx")


def test_a_dtd_behind_a_long_comment_is_refused_too(parse) -> None:
    head = f'<?xml version="1.0"?><!--{"x" * 70_000}--><!DOCTYPE x [<!ENTITY e "boom">]>'
    sheet = f'{head}<worksheet xmlns="{MAIN}"><sheetData><row><c t="str"><v>a&e;</v></c></row></sheetData></worksheet>'
    with pytest.raises(DocumentRefused, match="DTD"):
        parse(xlsx_of({"S": PRICES}, parts={"xl/worksheets/sheet1.xml": sheet}), "a.xlsx")


def test_limits_hold(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="more than 5 cells"):
        parse(xlsx_of({"S": PRICES}), "a.xlsx", cells=5)
    assert parse(xlsx_of({"S": PRICES}), "a.xlsx", cells=6)
    empty = '<row r="1">' + '<c s="1"/>' * 200 + "</row>"
    with pytest.raises(DocumentTooLarge, match="without a value"):
        parse(xlsx_of({"S": empty + PRICES}), "a.xlsx", cells=20)
    with pytest.raises(DocumentTooLarge, match="shares more than 10 texts"):
        parse(xlsx_of({"S": PRICES}, shared="<si/>" * 11), "a.xlsx", cells=2)
    with pytest.raises(DocumentDamaged, match="more than 16,384 cells"):
        parse(xlsx_of({"S": "<row>" + "<c/>" * 16_385 + "</row>"}), "a.xlsx")
    with pytest.raises(DocumentDamaged, match="not valid XML"):
        parse(xlsx_of({"S": "<row>" + "<x>" * 3_000 + "</x>" * 3_000 + "</row>"}), "a.xlsx")


def test_a_value_in_the_last_cell_costs_nothing(child) -> None:
    """X01: 4.8 KB that cost openpyxl 3.4 GB and 40 s; here 0.05 s in the child, whose CPU limit is 5 s."""
    data = xlsx_of({"S": '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row>'})
    limits = ParseLimits(cpu_seconds=5, memory_bytes=64 * 1024 * 1024)
    document = child.parse(data, filename="far_cell.xlsx", limits=limits)
    assert document.text == "S\n\nfar"
    assert document.blocks[1].attrs["range"] == "XFD1048576"


def test_thousands_of_sheets(parse) -> None:
    body = grid([["Item", "Price"], ["Pen", 3]])
    document = parse(xlsx_of({f"S{n}": body for n in range(9_990)}), "a.xlsx")
    assert len(document.blocks) == 2 * 9_990
    with pytest.raises(DocumentTooLarge, match="parts"):
        parse(xlsx_of({f"S{n}": body for n in range(10_010)}), "a.xlsx")


def test_a_workbook_without_a_word_says_so(parse) -> None:
    with pytest.raises(DocumentWithoutText):
        parse(xlsx_of({"S": '<row r="1"><c r="A1" s="1"/></row>', "T": ""}), "a.xlsx")


def test_styles_of_any_shape_are_read(parse) -> None:
    odd = (
        styles_xml(["0.0"]).replace('fontId="1"', 'fontId="77"').replace('numFmtId="164" fontId', 'numFmtId="x" fontId')
    )
    assert "Pen; Price: 3" in parse(xlsx_of({"S": PRICES}, parts={"xl/styles.xml": odd}), "a.xlsx").text


def test_large_sheets_are_read_within_their_limits(child) -> None:
    """A tenth of 200,000 rows x 5 columns, for which a child of its own needed 13 s of CPU and 543 MB in all."""
    rows = "".join(
        f'<row r="{r}"><c r="A{r}"><v>{r}</v></c><c r="B{r}" t="s"><v>{r % 500}</v></c><c r="C{r}" s="2"><v>{40000 + r % 4000}</v></c>'
        f'<c r="D{r}" s="3"><v>{r / 7!r}</v></c><c r="E{r}" s="4"><v>{r / 20_002!r}</v></c></row>'
        for r in range(2, 20_002)
    )
    shared = "".join(f"<si><t>Customer {number}</t></si>" for number in range(500))
    header = grid([["Id", "Customer", "Date", "Amount", "Share"]])
    data = xlsx_of({"Orders": header + rows}, codes=["yyyy-mm-dd", "#,##0.00", "0.0%"], shared=shared)
    limits = ParseLimits(cpu_seconds=20, memory_bytes=100 * 1024 * 1024)
    document = child.parse(data, filename="a.xlsx", limits=limits)
    last = document.blocks[-1]
    assert document.text[last.start : last.end] == (
        "Id: 20001; Customer: Customer 1; Date: 2009-07-07; Amount: 2,857.29; Share: 100.0%"
    )
    assert len(document.blocks) == 20_001


# --- any XML -----------------------------------------------------------------------------------

NUMBERS = st.sampled_from(["0", "1", "2", "7", "-1", "1.5", "x", "", "9" * 30, "9" * 5_000, "1e999", "nan", "٣", "²"])
REFERENCES = st.sampled_from(
    ["A1", "B2", "A1:B2", "B1:A1", "A1:A3", "XFD1048576", "XFE1", "A0", "a1", "A1:", "", "$C$3", "ZZZZZ99999999"]
)
CELL_XML = st.builds(
    lambda ref, style, kind, inner: f'<c r="{ref}" s="{style}" t="{kind}">{inner}</c>',
    REFERENCES, NUMBERS, st.sampled_from(["n", "s", "str", "inlineStr", "b", "e", "d", "?"]),
    st.builds(lambda tag, n: f"<{tag}>{n}</{tag}>", st.sampled_from(["v", "f", "is", "t", "extLst"]), NUMBERS),
)  # fmt: skip
ROW_XML = st.builds(
    lambda number, hidden, cells: f'<row r="{number}" hidden="{hidden}">{"".join(cells)}</row>',
    NUMBERS, NUMBERS, st.lists(CELL_XML, max_size=5),
)  # fmt: skip
COLUMN_XML = st.builds(lambda a, b: f'<cols><col min="{a}" max="{b}" hidden="1"/></cols>', NUMBERS, NUMBERS)
MERGE_XML = st.builds(lambda ref: f'<mergeCells><mergeCell ref="{ref}"/></mergeCells>', REFERENCES)


@given(before=COLUMN_XML, body=st.lists(ROW_XML, max_size=6), after=st.lists(MERGE_XML, max_size=3), number=NUMBERS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sheet_is_read_or_refused_in_words(
    parse, before: str, body: list[str], after: list[str], number: str
) -> None:
    sheet = f"{before}<sheetData>{''.join(body)}</sheetData>{''.join(after)}"
    comments = COMMENTS.replace('authorId="7"', f'authorId="{number}"')
    parts = {
        "xl/worksheets/_rels/sheet1.xml.rels": relations_xml([("comments", "../comments1.xml")]),
        "xl/comments1.xml": comments,
        "xl/styles.xml": styles_xml(["0.0", "yyyy"]).replace('fontId="1"', f'fontId="{number}" numFmtId="{number}"', 1).replace(
            'numFmtId="0" fontId="', 'fontId="', 1
        ),
    }  # fmt: skip
    try:
        document = parse(xlsx_of({"S": sheet}, shared="<si><t>one</t></si>", parts=parts), "a.xlsx")
    except DocumentError as err:
        assert re.search(r"\.$", err.message)  # noqa: PT017
        return
    for block in document.blocks:
        assert document.text[block.start : block.end].strip()


def test_a_part_whose_bytes_are_damaged_is_told(parse) -> None:
    data = bytearray(xlsx_of({"S": grid([[f"word {n}", n] for n in range(500)])}))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as source:
        at = source.getinfo("xl/worksheets/sheet1.xml").header_offset
    data[at + 300 : at + 400] = bytes(100)
    with pytest.raises(DocumentDamaged, match=r"sheet1\.xml"):
        parse(bytes(data), "a.xlsx")


def test_titles_styles_and_relations_may_be_missing_or_odd(parse) -> None:
    parts = {
        "docProps/core.xml": f"{HEAD}<a/>",
        "xl/worksheets/_rels/sheet1.xml.rels": relations_xml(
            [("comments", "../gone.xml"), ("drawing", "/xl/gone.xml"), ("threadedComment", "..\\gone.xml")]
        ),
    }
    document = parse(xlsx_of({"S": PRICES}, parts=parts), "a.xlsx")
    assert (document.title, document.warnings) == (None, ())


def test_links_out_of_the_file_are_not_followed(parse) -> None:
    outside = relations_xml([("comments", "http://127.0.0.1:9/c.xml")]).replace(
        "Target=", 'TargetMode="External" Target='
    )
    document = parse(xlsx_of({"S": PRICES}, parts={"xl/worksheets/_rels/sheet1.xml.rels": outside}), "a.xlsx")
    assert document.text.startswith("S")


def test_positions_of_cells() -> None:
    assert position("B5") == (5, 2)
    assert position("$XFD$1048576") == (1_048_576, 16_384)
    assert [position(odd) for odd in ("", "A", "5", "A0", "XFE1", "A1048577", "b5", "A1:B2", "AAAA1")] == [None] * 9


def test_escapes_in_texts_are_resolved() -> None:
    assert unescaped("a_x0041_b") == "aAb"
    assert unescaped("_x005F_x0041_") == "_x0041_"
    assert unescaped("_xD83D__xDE00_") == "😀"
    assert unescaped("_xD83D_") == "\ufffd"
    assert unescaped("_x41_ _xZZZZ_") == "_x41_ _xZZZZ_"
