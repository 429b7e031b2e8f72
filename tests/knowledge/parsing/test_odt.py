from __future__ import annotations

import pytest
from made_opendocument import SPACES, TYPES, annotation, box, cell, content, covered, items, odt, p, package, table
from office import Expected, of_format, unmet

from knowledge.errors import (
    DocumentDamaged,
    DocumentEncrypted,
    DocumentRefused,
    DocumentTooLarge,
    DocumentWithoutText,
    UnsupportedFormat,
)
from knowledge.parsing import ParseLimits
from knowledge.parsing.odf import open_content, text_of

NUMBERS = (
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:list-level-style-number text:level="2" style:num-format="a" style:num-prefix="(" style:num-suffix=")"/>'
    '<text:list-level-style-number text:level="3" style:num-format="i" text:display-levels="3"/></text:list-style>'
)
SIGNS = (
    '<text:list-style style:name="L2"><text:list-level-style-bullet text:level="1" text:bullet-char="&#8226;"/>'
    '<text:list-level-style-number text:level="2" style:num-format=""/></text:list-style>'
)


@pytest.mark.parametrize("expected", of_format("odt"))
def test_real_texts(parse, expected: Expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_blocks_come_in_document_order(parse, shown) -> None:
    styles = '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
    body = (
        p("Report", "P1") + '<text:h text:outline-level="1">Results</text:h>' + p("First.")
        + '<text:section text:name="s"><text:h text:outline-level="2">Costs</text:h></text:section>'
        + items("An item", style="L9") + p("A picture", "Illustration")
    )  # fmt: skip
    document = parse(odt(body, styles), "a.odt")
    assert shown(document) == [
        ("title", "Report"), ("heading", "Results"), ("paragraph", "First."), ("heading", "Costs"),
        ("list_item", "An item"), ("caption", "A picture"),
    ]  # fmt: skip
    assert document.blocks[4].heading_path == ("Results", "Costs")
    assert (document.title, document.blocks[3].level) == ("Report", 2)


def test_the_title_of_the_file_goes_first(parse) -> None:
    meta = (
        f"<office:document-meta {SPACES}><office:meta><dc:title>Stated</dc:title></office:meta></office:document-meta>"
    )
    assert parse(odt(p("Shown", "Title"), meta=meta), "a.odt").title == "Stated"


def test_white_space_is_folded_and_meant_spaces_stay(parse) -> None:
    body = p(
        "\n  one \t<text:span>two </text:span> three<text:s text:c='3'/>four<text:s/><text:tab/>five<text:line-break/>"
        "six&#13;<text:a>seven</text:a> <text:soft-page-break/>eight\n"
    )
    assert parse(odt(body), "a.odt").text == "one two three   four  five\nsix seven eight"


def test_counted_spaces_are_bounded(parse) -> None:
    document = parse(odt(p('a<text:s text:c="1000000000"/>b<text:s text:c="-1"/>c')), "a.odt")
    assert document.text == f"a{' ' * 100}b c"


def test_tracked_deletions_are_left_out(parse) -> None:
    tracked = (
        "<text:tracked-changes><text:changed-region><text:deletion>"
        + p("deleted")
        + "</text:deletion></text:changed-region>"
        "</text:tracked-changes>"
    )
    body = tracked + p('kept <text:change text:change-id="a"/><text:change-start/>inserted<text:change-end/>')
    assert parse(odt(body), "a.odt").text == "kept inserted"


@pytest.mark.parametrize(
    ("body", "styles"),
    [
        (p('shown<text:span text:style-name="T1">hidden</text:span>'), '<style:style style:name="T1"><style:text-properties text:display="none"/></style:style>'),
        (p("shown") + '<text:section text:display="none">' + p("hidden") + "</text:section>", ""),
        (p("shown") + p('<text:hidden-paragraph text:is-hidden="true"/>hidden'), ""),
        (p('shown<text:hidden-text text:is-hidden="true">hidden</text:hidden-text>'), ""),
    ],
)  # fmt: skip
def test_hidden_text_is_left_out_and_told(parse, body: str, styles: str) -> None:
    document = parse(odt(body, styles), "a.odt")
    assert (document.text, document.warnings) == ("shown", ("Hidden text was left out.",))


def test_footnotes_stand_at_the_end_and_comments_behind_their_paragraph(parse, shown) -> None:
    inner = "<text:note><text:note-body>" + p("Inner.") + "</text:note-body></text:note>"
    note = (
        "<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        + p("See")
        + p("annex." + inner)
        + "</text:note-body></text:note>"
    )
    body = p(f"Body{note} text{annotation('Ann', 'Why?')}.") + p("Next." + annotation("", "Unsigned."))
    assert shown(parse(odt(body), "a.odt")) == [
        ("paragraph", "Body text."), ("note", "Comment by Ann: Why?"), ("paragraph", "Next."),
        ("note", "Comment: Unsigned."), ("footnote", "See annex."), ("footnote", "Inner."),
    ]  # fmt: skip


def test_lists_keep_their_numbers(parse, shown) -> None:
    deeper = p("b") + items(p("c") + items("d", "e", style=""), "f", style="")
    body = (
        items("a", deeper, p("g") + p("more of g")) + p("between") + items("h", attributes='text:continue-numbering="true"')
        + items("i") + '<text:list text:style-name="L1"><text:list-header>' + p("head") + "</text:list-header>"
        + '<text:list-item text:start-value="7">' + p("j") + "</text:list-item></text:list>"
    )  # fmt: skip
    assert [text for _, text in shown(parse(odt(body, NUMBERS), "a.odt"))] == [
        "1. a", "2. b", "(a) c", "2.a.i d", "2.a.ii e", "(b) f", "3. g", "more of g", "between", "4. h", "1. i", "head", "7. j",
    ]  # fmt: skip


def test_a_list_continues_the_one_it_names(parse) -> None:
    body = items("a", attributes='xml:id="x1"') + items("b") + items("c", attributes='text:continue-list="x1"')
    assert parse(odt(body, NUMBERS), "a.odt").text == "1. a\n\n1. b\n\n2. c"


def test_items_without_a_sign_are_paragraphs(parse, shown) -> None:
    body = items(p("sign") + items("nothing", style=""), style="L2")
    assert shown(parse(odt(body, SIGNS), "a.odt")) == [("list_item", "sign"), ("paragraph", "nothing")]


def test_text_boxes_follow_their_paragraph_once(parse) -> None:
    frame = (
        "<draw:frame><draw:text-box>"
        + p("In the box")
        + "</draw:text-box><draw:image><text:p>copy</text:p></draw:image><svg:desc>alt</svg:desc></draw:frame>"
    )
    shape = "<draw:g><draw:custom-shape>" + p("In the shape") + "</draw:custom-shape></draw:g>"
    assert parse(odt(p(f"Anchor{frame} goes{shape} on.") + box("Free")), "a.odt").text.split("\n\n") == [
        "Anchor goes on.", "In the box", "In the shape", "Free",
    ]  # fmt: skip


def test_tables_repeat_merged_and_repeated_cells(parse, shown) -> None:
    body = table(
        cell("Region") + cell("Sales", 'table:number-columns-spanned="2"') + covered(),
        cell("North", 'table:number-rows-spanned="2"') + cell("1") + cell("2"),
        covered() + cell("3", 'table:number-columns-repeated="2"'),
        '<table:table-row table:number-rows-repeated="2">' + cell() + cell("5") + "</table:table-row>",
    )
    document = parse(odt(body), "a.odt")
    assert [text for _, text in shown(document)] == [
        "Region: North; Sales: 1; Sales: 2", "Region: North; Sales: 3; Sales: 3", "Sales: 5", "Sales: 5",
    ]  # fmt: skip
    a, b = document.blocks[0].attrs["cells"][0]
    assert document.text[a:b] == "North"


def test_an_area_that_is_merged_is_repeated_by_rows_only(parse) -> None:
    body = table(
        cell("x")
        + cell("area", 'table:number-rows-spanned="2" table:number-columns-spanned="2"')
        + covered()
        + cell("1"),
        cell("y") + covered('table:number-columns-repeated="2"') + cell("2"),
        cell("z") + covered('table:number-columns-repeated="900"') + cell("3"),
    )
    assert parse(odt(body), "a.odt").text == "x; area; 1\ny; area; 2\nz; 3"


def test_header_rows_are_marked_in_the_file(parse) -> None:
    rows = (
        "<table:table-header-rows><table:table-row>"
        + cell()
        + cell("2023")
        + cell("2024")
        + "</table:table-row></table:table-header-rows>"
    )
    body = f"<table:table>{rows}<table:table-row>{cell('Oslo')}{cell('1')}{cell('2')}</table:table-row></table:table>"
    assert parse(odt(body), "a.odt").text == "Oslo; 2023: 1; 2024: 2"


def test_what_is_anchored_in_a_cell_follows_the_table(parse, shown) -> None:
    body = table(cell("a" + annotation("Ann", "Sure?") + box("Boxed")) + cell("b"))
    assert shown(parse(odt(body), "a.odt")) == [
        ("table_row", "a; b"),
        ("note", "Comment by Ann: Sure?"),
        ("paragraph", "Boxed"),
    ]


def test_repetitions_without_end_are_bounded(parse) -> None:
    billion = 'table:number-columns-repeated="1000000000"'
    empty = table(
        cell("a") + cell("", billion),
        f'<table:table-row table:number-rows-repeated="1000000000">{cell("", billion)}</table:table-row>',
    )
    assert parse(odt(empty), "a.odt").text == "a"
    for hostile in (
        table(cell("a", billion)),
        table(cell("", billion) + cell("a")),
        f'<table:table><table:table-row table:number-rows-repeated="1000000000">{cell("a")}</table:table-row></table:table>',
        table(cell("x" * 100_000, 'table:number-columns-repeated="10000"')),
        table(cell("x" * 100_000, 'table:number-rows-spanned="9999"'), *[covered()] * 9_000),
    ):
        with pytest.raises(DocumentTooLarge, match="table cells"):
            parse(odt(hostile), "a.odt")


def test_covered_cells_cannot_make_the_search_quadratic(parse) -> None:
    first = cell("m", 'table:number-rows-spanned="9999"') * 2_000
    rows = ['<table:covered-table-cell table:number-columns-repeated="2500"/>' * 2_000] * 2
    with pytest.raises(DocumentTooLarge):
        parse(odt(table(first, *rows)), "a.odt")


def test_embedded_objects(parse, shown) -> None:
    def frame(reference: str) -> str:
        return f'<draw:frame><draw:object xlink:href="{reference}"/><draw:image/></draw:frame>'

    math = '<m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mrow><m:mi>E</m:mi><m:mo>=</m:mo><m:mn>2</m:mn></m:mrow></m:math>'
    rows = table(cell() + cell("Sales"), cell("North") + cell("7"), attributes='table:use-first-row-styles="true"')
    chart = content(f"<chart:chart><chart:title>{p('Growth')}</chart:title>{rows}</chart:chart>", "chart")
    parts = {"content.xml": content(p("x" + frame("./Object 1") + frame("./Object 2") + frame("./Object 2") + frame("./Gone"))),
             "Object 1/content.xml": math, "Object 2/content.xml": chart}  # fmt: skip
    document = parse(package(parts, TYPES["text"]), "a.odt")
    assert shown(document) == [
        ("paragraph", "x"), ("paragraph", "E = 2"), ("caption", "Growth"), ("table_row", "North; Sales: 7"),
    ]  # fmt: skip
    assert document.warnings == ("An embedded object was left out.",)


def test_headers_and_footers_are_furniture_once_each(parse, shown) -> None:
    page = f"<style:master-page><style:header>{p('ACME')}</style:header><style:header-left>{p('ACME')}</style:header-left><style:footer>{p('Secret')}</style:footer></style:master-page>"
    styles = f"<office:document-styles {SPACES}><office:master-styles>{page}{page}</office:master-styles></office:document-styles>"
    assert shown(parse(odt(p("Body."), styles_part=styles), "a.odt")) == [
        ("paragraph", "Body."),
        ("furniture", "ACME"),
        ("furniture", "Secret"),
    ]


def test_a_package_without_its_type_is_told_by_its_body(parse) -> None:
    text, slides = content(p("words")), content(f"<draw:page>{box('shown')}</draw:page>", "presentation")
    for name in ("a.odt", "a.odp", "upload"):
        document = parse(package({"content.xml": text}, None), name)
        assert (document.text, document.media_type, document.parser) == ("words", TYPES["text"], "odt")
        document = parse(package({"content.xml": slides}, None), name)
        assert (document.text, document.media_type, len(document.pages)) == ("shown", TYPES["presentation"], 1)


def test_templates_are_read(parse) -> None:
    data = package({"content.xml": content(p("words"))}, TYPES["text"] + "-template")
    assert parse(data, "a.ott").text == "words"


@pytest.mark.parametrize("name", ["a.odt", "a.odp"])
def test_encrypted_parts_are_named(parse, name: str) -> None:
    kind = TYPES["text" if name.endswith("t") else "presentation"]
    entry = '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'
    with pytest.raises(DocumentEncrypted):
        parse(package({"content.xml": "\x01\x02 no XML"}, kind, entry), name)
    with pytest.raises(DocumentEncrypted):
        parse(package({"encrypted-package": "\x01\x02"}, kind), name)


def test_files_that_are_none(parse) -> None:
    with pytest.raises(DocumentDamaged, match="content.xml is missing"):
        parse(package({}, TYPES["text"]), "a.odt")
    with pytest.raises(DocumentDamaged, match="no document body"):
        parse(package({"content.xml": "<a/>"}, TYPES["text"]), "a.odt")
    with pytest.raises(DocumentDamaged, match="not valid XML"):
        parse(package({"content.xml": content(p("x"))[:-9]}, TYPES["text"]), "a.odt")
    with pytest.raises(DocumentWithoutText):
        parse(odt(p("  ")), "a.odt")


@pytest.mark.parametrize("part", ["content", "styles", "meta", "Object 1/content"])
def test_a_dtd_in_any_part_is_refused(parse, part: str) -> None:
    with pytest.raises(DocumentRefused, match="DTD"):
        parse(package({"content.xml": content(p("x")), f"{part}.xml": "<!DOCTYPE a><a/>"}, TYPES["text"]), "a.odt")


def test_limits_hold(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="expands"):
        parse(odt(p("A" * (12 << 20))), "a.odt")
    many = {"content.xml": content(p("x")), **{f"m/{n}": "" for n in range(70_000)}}
    with pytest.raises(DocumentTooLarge, match="parts"):
        parse(package(many, TYPES["text"]), "a.odt")


def test_deep_nesting_is_refused_or_read(parse) -> None:
    def lists(depth: int) -> str:
        return "<text:list><text:list-item>" * depth + p("deep") + "</text:list-item></text:list>" * depth

    def comments(depth: int) -> str:
        return p("<office:annotation><text:p>deep" * depth + "</text:p></office:annotation>" * depth)

    assert parse(odt(lists(100) + comments(100)), "a.odt").text.startswith("deep")
    for hostile in (lists(2_000), comments(2_000), p("<text:span>" * 4_000 + "</text:span>" * 4_000)):
        with pytest.raises((DocumentDamaged, DocumentTooLarge)):
            parse(odt(hostile), "a.odt")


def test_a_circle_of_styles_ends(parse) -> None:
    circle = '<style:style style:name="A" style:family="paragraph" style:parent-style-name="B"/><style:style style:name="B" style:family="paragraph" style:parent-style-name="A"/>'
    assert parse(odt(p("text", "A"), circle), "a.odt").text == "text"


def test_other_readers_can_ask_for_the_content() -> None:
    root = open_content(odt(p("one") + p(f"two{annotation('Ann', 'no')}")), ParseLimits())
    assert text_of(root) == "one\ntwo"


def test_a_spreadsheet_goes_to_its_reader(parse, monkeypatch) -> None:
    class Reader:
        def parse(self, data: bytes, context: object) -> str:
            return "read by the other"

    data = package({"content.xml": content(table(cell("a")), "spreadsheet")}, None)
    monkeypatch.setattr(
        "knowledge.parsing.registry.parser_for",
        lambda kind: Reader() if kind == TYPES["spreadsheet"] else UnsupportedFormat,
    )
    from knowledge.parsing.base import ParseContext
    from knowledge.parsing.odt import OdtParser

    assert OdtParser().parse(data, ParseContext(filename="a")) == "read by the other"
