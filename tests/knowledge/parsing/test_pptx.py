from __future__ import annotations

import pytest
from made_slides import (
    CHARTS,
    SPACES,
    chart,
    deck,
    frame,
    group,
    paragraph,
    points,
    relations,
    series,
    shape,
    title,
    tree,
    zipped,
)  # fmt: skip
from office import Expected, of_format, unmet

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentRefused, DocumentTooLarge, DocumentWithoutText

DIAGRAMS = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
BULLET = '<a:pPr><a:buChar char="&#8226;"/></a:pPr>'


@pytest.mark.parametrize("expected", of_format("pptx"))
def test_real_presentations(parse, expected: Expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_slides_come_in_the_order_of_the_show_each_on_its_page(parse, shown) -> None:
    data = deck([title("Two") + shape("Second.", at=(1, 2)), title("One") + shape("First.", at=(1, 2))], listed=[2, 1])
    document = parse(data, "a.pptx")
    assert shown(document) == [
        ("heading", "One"), ("paragraph", "First."), ("heading", "Two"), ("paragraph", "Second."),
    ]  # fmt: skip
    assert [block.page_first for block in document.blocks] == [1, 1, 2, 2]
    assert document.blocks[1].heading_path == ("One",)
    assert (document.title, document.warnings) == ("One", ())


def test_a_slide_without_a_title_does_not_stand_under_the_one_before(parse) -> None:
    document = parse(deck([title("Costs"), shape("Other matters.")]), "a.pptx")
    assert document.blocks[1].heading_path == ()


def test_a_slide_without_text_keeps_its_number(parse) -> None:
    document = parse(deck([shape("First."), "", shape("Third.")]), "a.pptx")
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert document.blocks[1].page_first == 3


def test_shapes_are_read_from_top_to_bottom_and_from_left_to_right(parse) -> None:
    slide = (
        shape("bottom", at=(1, 6)) + shape("right", at=(5, 2.05)) + shape("left", at=(1, 2.1))
        + shape("beside left", ph='type="body" idx="99"') + title("On top")
    )  # fmt: skip
    assert parse(deck([slide]), "a.pptx").text.split("\n\n") == ["On top", "left", "beside left", "right", "bottom"]


def test_a_group_is_read_as_a_whole_and_scaled(parse) -> None:
    def inner(text: str, x: int, y: int) -> str:
        return shape(text, at=(0, 0)).replace('<a:off x="0" y="0"/>', f'<a:off x="{x}" y="{y}"/>')

    left = group(inner("below", 100, 109), inner("above", 100, 100), at=(1, 1), inside=(100, 100, 10, 10))
    right = group(inner("right", 5, 0), shape("nested", at=(0, 0)), at=(4, 1))
    slide = right + left + shape("between", at=(1, 2))
    assert parse(deck([slide]), "a.pptx").text.split("\n\n") == ["above", "below", "nested", "right", "between"]


LAYOUT = tree(
    shape("Click to add", at=(1, 6), ph='type="body" idx="7"', style='<a:lvl1pPr><a:buChar char="-"/></a:lvl1pPr>'),
    shape("Click", at=(1, 1), ph='type="subTitle" idx="8"', style="<a:lvl1pPr><a:buNone/></a:lvl1pPr>"),
    shape("Click", ph='type="obj" idx="9"'),
    root="sldLayout",
)
MASTER = tree(shape("Master", at=(1, 3), ph='type="body"'), root="sldMaster").replace(
    "</p:sldMaster>",
    '<p:txStyles><p:bodyStyle><a:lvl2pPr><a:buChar char="o"/></a:lvl2pPr></p:bodyStyle></p:txStyles></p:sldMaster>',
)
WITH_LAYOUT = {
    "ppt/slideLayouts/slideLayout1.xml": LAYOUT,
    "ppt/slideLayouts/_rels/slideLayout1.xml.rels": relations(("slideMaster", "../slideMasters/slideMaster1.xml")),
    "ppt/slideMasters/slideMaster1.xml": MASTER,
}
TO_LAYOUT = ("slideLayout", "../slideLayouts/slideLayout1.xml")


def test_placeholders_take_place_and_bullets_from_layout_and_master(parse, shown) -> None:
    slide = (
        shape("last", ph='type="body" idx="7"')
        + shape("middle", paragraph("deeper", '<a:pPr lvl="1"/>'), ph='idx="9"')
        + shape("first", ph='type="subTitle" idx="8"')
    )
    document = parse(deck([slide], {1: [TO_LAYOUT]}, WITH_LAYOUT), "a.pptx")
    assert shown(document) == [
        ("paragraph", "first"), ("paragraph", "middle"), ("list_item", "deeper"), ("list_item", "last"),
    ]  # fmt: skip
    assert "Click" not in document.text
    assert "Master" not in document.text


def test_items_keep_their_numbers(parse, shown) -> None:
    def numbered(text: str, scheme: str, more: str = "", level: int = 0) -> str:
        return paragraph(text, f'<a:pPr lvl="{level}"><a:buAutoNum type="{scheme}" {more}/></a:pPr>')

    slide = shape(
        numbered("a", "arabicPeriod"), numbered("b", "alphaLcParenR", level=1), numbered("c", "alphaLcParenR", level=1),
        numbered("d", "arabicPeriod"), numbered("e", "alphaLcParenR", level=1), "plain", numbered("f", "arabicPeriod"),
        numbered("g", "romanUcParenBoth", 'startAt="4"'), paragraph("sign", BULLET), numbered("h", "thaiNumPeriod"),
    )  # fmt: skip
    assert [text for _, text in shown(parse(deck([slide]), "a.pptx"))] == [
        "1. a", "a) b", "b) c", "2. d", "a) e", "plain", "1. f", "(IV) g", "sign", "1. h",
    ]  # fmt: skip


def test_breaks_fields_tabs_and_equations_are_text(parse) -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    odd = (
        f'<a:p><a:pPr/><a:r><a:t>one&#13;&#10;two\tthree</a:t></a:r><a:br/><a:fld type="x"><a:t>field</a:t></a:fld>'
        f'<mc:AlternateContent><mc:Choice xmlns:m="{math}"><m:oMath><m:r><m:t>E=mc</m:t></m:r></m:oMath></mc:Choice>'
        f"<mc:Fallback><a:r><a:t>picture</a:t></a:r></mc:Fallback></mc:AlternateContent></a:p>"
    )
    assert parse(deck([shape(odd)]), "a.pptx").text == "one\ntwo three\nfieldE=mc"


def test_alternatives_are_read_once(parse) -> None:
    twice = (
        f"<mc:AlternateContent><mc:Choice Requires='x'>{shape('new')}</mc:Choice>"
        f"<mc:Fallback>{shape('old')}</mc:Fallback></mc:AlternateContent>"
        f"<mc:AlternateContent><mc:Fallback>{shape('only')}</mc:Fallback></mc:AlternateContent>"
    )
    assert parse(deck([twice]), "a.pptx").text == "new\n\nonly"


def cell(text: str, attributes: str = "") -> str:
    return f"<a:tc {attributes}><a:txBody>{paragraph(text) if text else '<a:p/>'}</a:txBody></a:tc>"


def table(*rows: str, properties: str = "") -> str:
    return frame(f"<a:tbl><a:tblPr {properties}/>{''.join(f'<a:tr>{row}</a:tr>' for row in rows)}</a:tbl>")


def test_tables_are_rows_with_headers_and_repeated_merged_cells(parse, shown) -> None:
    slide = table(
        cell("Region") + cell("Sales", 'gridSpan="2"') + cell("", 'hMerge="1"'),
        cell("North", 'rowSpan="2"') + cell("1") + cell("2"),
        cell("", 'vMerge="1"') + cell("3") + cell("4"),
        properties='firstRow="1"',
    )
    document = parse(deck([slide]), "a.pptx")
    assert shown(document) == [
        ("table_row", "Region: North; Sales: 1; Sales: 2"), ("table_row", "Region: North; Sales: 3; Sales: 4"),
    ]  # fmt: skip
    cells = document.blocks[1].attrs["cells"]
    assert [document.text[a:b] for a, b in cells] == ["North", "3", "4"]


def test_a_merged_cell_cannot_blow_up(parse) -> None:
    long = "x" * 20_000
    rows = [cell(long, 'rowSpan="9999"'), *[cell("", 'vMerge="1"')] * 5_000]
    with pytest.raises(DocumentTooLarge, match="table cells"):
        parse(deck([table(*rows)]), "a.pptx", cells=100_000)


CHART = frame(f'<c:chart xmlns:c="{CHARTS}" r:id="rId1"/>')


def with_chart(body: str, slide: str = CHART) -> bytes:
    return deck([slide], {1: [("chart", "../charts/chart1.xml")]}, {"ppt/charts/chart1.xml": chart(body)})


def test_charts_are_tables(parse, shown) -> None:
    names = points("North", "South", kind="strCache")
    heading = "<c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    bars = series("2023", names, points("0.25999999999999995", "7")) + series("2024", names, points("8"))
    document = parse(with_chart(f"{heading}<c:plotArea><c:barChart>{bars}</c:barChart></c:plotArea>"), "a.pptx")
    assert shown(document) == [
        ("caption", "Sales"), ("table_row", "North; 2023: 0.26; 2024: 8"), ("table_row", "South; 2023: 7"),
    ]  # fmt: skip


def test_categories_may_be_dates_or_levels(parse) -> None:
    dates = series("Price", points("45292", "45292.5", code='yyyy\\-mm\\-dd;"day"'), points("1", "2"))
    assert parse(with_chart(dates), "a.pptx").text == "2024-01-01; Price: 1\n2024-01-01 12:00; Price: 2"
    levels = (
        '<c:multiLvlStrCache><c:lvl><c:pt idx="0"><c:v>Q1</c:v></c:pt><c:pt idx="1"><c:v>Q2</c:v></c:pt></c:lvl>'
        '<c:lvl><c:pt idx="0"><c:v>2024</c:v></c:pt></c:lvl></c:multiLvlStrCache>'
    )
    assert (
        parse(with_chart(series("Sales", levels, points("1", "2"))), "a.pptx").text
        == "2024 Q1; Sales: 1\n2024 Q2; Sales: 2"
    )


def test_a_chart_with_endless_series_is_refused(parse) -> None:
    many = "".join(
        f'<c:ser><c:val><c:numCache><c:pt idx="{at}"><c:v>1</c:v></c:pt></c:numCache></c:val></c:ser>'
        for at in range(2_000)
    )
    with pytest.raises(DocumentTooLarge, match="cells"):
        parse(with_chart(many), "a.pptx")


def test_a_part_is_read_once_however_often_it_is_shown(parse) -> None:
    document = parse(with_chart(series("S", points("a", kind="strCache"), points("1")), CHART * 3), "a.pptx")
    assert document.text == "a; S: 1"
    assert document.warnings == ("A part that the file uses more than once was read once: slide 1.",)


def test_smart_art_is_read_along_its_connections(parse, shown) -> None:
    def point(name: str, kind: str = "node") -> str:
        return f'<dgm:pt modelId="{name}" type="{kind}"><dgm:t>{paragraph(name)}</dgm:t></dgm:pt>'

    def below(upper: str, lower: str, order: int) -> str:
        return f'<dgm:cxn srcId="{upper}" destId="{lower}" srcOrd="{order}"/>'

    data = (
        f'<dgm:dataModel xmlns:dgm="{DIAGRAMS}" {SPACES}><dgm:ptLst>{point("top", "doc").replace(paragraph("top"), "<a:p/>")}'
        f"{point('second')}{point('first')}{point('child')}{point('line', 'parTrans')}{point('alone')}</dgm:ptLst><dgm:cxnLst>"
        f"{below('top', 'second', 1)}{below('top', 'first', 0)}{below('first', 'child', 0)}{below('child', 'first', 0)}"
        "</dgm:cxnLst></dgm:dataModel>"
    )
    slide = frame(f'<dgm:relIds xmlns:dgm="{DIAGRAMS}" r:dm="rId1"/>')
    document = parse(
        deck([slide], {1: [("diagramData", "../diagrams/data1.xml")]}, {"ppt/diagrams/data1.xml": data}), "a.pptx"
    )
    assert shown(document) == [("list_item", text) for text in ("first", "child", "second", "alone")]


def test_notes_follow_their_slide(parse, shown) -> None:
    notes = tree(
        shape("7", ph='type="sldNum"'), shape("Say this.", "And that.", ph='type="body" idx="1"'), root="notes"
    )  # fmt: skip
    data = deck(
        [shape("Shown."), shape("Next.")],
        {1: [("notesSlide", "../notesSlides/n.xml")]},
        {"ppt/notesSlides/n.xml": notes},
    )
    document = parse(data, "a.pptx")
    assert shown(document) == [
        ("paragraph", "Shown."),
        ("note", "Say this."),
        ("note", "And that."),
        ("paragraph", "Next."),
    ]
    assert [block.page_first for block in document.blocks] == [1, 1, 1, 2]


def test_comments_name_their_authors(parse, shown) -> None:
    new = "http://schemas.microsoft.com/office/powerpoint/2018/8/main"
    old_list = f'<p:cmLst {SPACES}><p:cm authorId="0"><p:text>Old form.</p:text></p:cm><p:cm authorId="9"><p:text>Nobody.</p:text></p:cm></p:cmLst>'
    new_list = (
        f'<n:cmLst xmlns:n="{new}" {SPACES}><n:cm authorId="{{B}}"><n:replyLst><n:reply authorId="0"><n:txBody>{paragraph("No.")}'
        f"</n:txBody></n:reply></n:replyLst><n:txBody>{paragraph('New form?')}</n:txBody></n:cm></n:cmLst>"
    )
    parts = {
        "ppt/comments/c1.xml": old_list, "ppt/comments/c2.xml": new_list,
        "ppt/commentAuthors.xml": f'<p:cmAuthorLst {SPACES}><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>',
        "ppt/authors.xml": f'<n:authorLst xmlns:n="{new}"><n:author id="{{B}}" name="Bob"/></n:authorLst>',
    }  # fmt: skip
    related = {1: [("comments", "../comments/c1.xml"), ("comments", "../comments/c2.xml")]}
    assert [text for kind, text in shown(parse(deck([shape("x")], related, parts), "a.pptx")) if kind == "note"] == [
        "Comment by Ann: Old form.", "Comment: Nobody.", "Comment by Bob: New form?", "Reply by Ann: No.",
    ]  # fmt: skip


def test_hidden_slides_are_marked_and_hidden_shapes_left_out(parse) -> None:
    slides = [
        tree(title("Kept back"), attributes='show="0"'),
        tree(shape("Shown.") + shape("Switched off.", named='hidden="1"')),
        tree(shape("Also kept back."), attributes='show="false"'),
    ]
    document = parse(deck(slides), "a.pptx")
    assert [block.attrs.get("hidden") for block in document.blocks] == [True, None, True]
    assert "Switched" not in document.text
    assert document.warnings == (
        "The text includes what is hidden in the show: slides 1 and 3.", "Hidden shapes were left out: slide 2.",
    )  # fmt: skip


def test_footers_dates_and_numbers_are_furniture(parse, shown) -> None:
    slide = "".join(shape(kind, ph=f'type="{kind}"') for kind in ("dt", "ftr", "sldNum")) + shape("Words.")
    assert shown(parse(deck([slide]), "a.pptx")) == [
        ("paragraph", "Words."), ("furniture", "dt"), ("furniture", "ftr"), ("furniture", "sldNum"),
    ]  # fmt: skip


def test_a_picture_speaks_only_where_nothing_else_does(parse, shown) -> None:
    picture = '<p:pic><p:nvPicPr><p:cNvPr id="1" name="p" descr="Two  owls"/></p:nvPicPr><p:spPr/></p:pic>'
    assert shown(parse(deck([picture + shape("7", ph='type="sldNum"')]), "a.pptx"))[0] == ("caption", "Two owls")
    assert parse(deck([picture + shape("Birds")]), "a.pptx").text == "Birds"


def test_the_title_of_the_file_counts_unless_it_is_the_default(parse) -> None:
    def titled(name: str) -> str | None:
        core = f'<c:coreProperties xmlns:c="x" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{name}</dc:title></c:coreProperties>'
        return parse(deck([title("On slide one")], parts={"docProps/core.xml": core}), "a.pptx").title

    assert titled("Annual plan") == "Annual plan"
    assert {titled(name) for name in ("PowerPoint Presentation", "PowerPoint-Präsentation", "")} == {"On slide one"}


def test_malformed_placeholders_are_read(parse) -> None:
    slide = (
        shape("a", ph='type="nonsense" idx="x"') + shape("b", ph='type="" idx=""') + shape("c", ph='idx="-1" sz="?"')
        + shape("d", at=(0, 0)).replace('x="0"', 'x="far"')
        + shape(paragraph("e", '<a:pPr lvl="77"><a:buAutoNum type="" startAt="-5"/></a:pPr>'))
        + "<p:sp/><p:grpSp/><p:pic/><p:graphicFrame/><p:sp><p:txBody/></p:sp>"
    )  # fmt: skip
    assert parse(deck([slide], {1: [TO_LAYOUT]}, WITH_LAYOUT), "a.pptx").text.split("\n\n") == [
        "a",
        "b",
        "c",
        "d",
        "1. e",
    ]


def test_what_cannot_be_read_is_told(parse) -> None:
    related = {1: [("notesSlide", "../gone.xml"), ("chart", "../broken.xml")], 2: [TO_LAYOUT]}
    chart_frame = frame(f'<c:chart xmlns:c="{CHARTS}" r:id="rId2"/>') + frame("<p:oleObj/>")
    data = deck(
        [shape("Still here.") + chart_frame, shape("Too.")], related, {"ppt/broken.xml": "<c:chart"}, listed=[1, 2, 9]
    )
    document = parse(data, "a.pptx")
    assert document.text == "Still here.\n\nToo."
    assert len(document.pages) == 3
    assert set(document.warnings) == {
        "A part that is damaged or missing could not be read: slides 1, 2 and 3.",
        "An embedded object was left out: slide 1.",
    }


def test_a_long_list_of_slides_in_a_warning_is_cut(parse) -> None:
    document = parse(deck([shape("x"), *[tree(shape("y"), attributes='show="0"')] * 12]), "a.pptx")
    assert document.warnings[0].endswith("slides 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 others.")


def test_relationships_in_a_circle_end(parse) -> None:
    parts = {
        "ppt/slideLayouts/slideLayout1.xml": LAYOUT,
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": relations(("slideMaster", "slideLayout1.xml")),
    }
    related = {1: [TO_LAYOUT, ("notesSlide", "slide1.xml"), ("comments", "slide1.xml")]}
    assert parse(deck([shape("Once.")], related, parts), "a.pptx").text == "Once."


def test_a_list_with_more_slides_than_are_accepted(parse) -> None:
    data = deck([shape("x" * 1000)], listed=[1] * 100_000)
    with pytest.raises(DocumentTooLarge, match="100,000 slides; at most 5,000"):
        parse(data, "a.pptx")
    document = parse(deck([shape("x" * 1000)], listed=[1] * 4_000), "a.pptx")
    assert len(document.text) == 1000
    assert len(document.pages) == 4_000


def test_files_that_are_none(parse) -> None:
    with pytest.raises(DocumentWithoutText, match="no slides"):
        parse(deck([]), "a.pptx")
    with pytest.raises(DocumentDamaged, match="none of its slides"):
        parse(deck([], listed=[1]), "a.pptx")
    with pytest.raises(DocumentDamaged, match="missing"):
        parse(zipped({"ppt/slides/slide1.xml": tree(shape("x"))}), "a.pptx")
    with pytest.raises(DocumentWithoutText):
        parse(deck([""]), "a.pptx")
    with pytest.raises(DocumentEncrypted):
        parse(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "a.pptx")


@pytest.mark.parametrize("part", ["ppt/slides/slide1.xml", "ppt/theme/theme1.xml", "ppt/slides/_rels/slide1.xml.rels"])
def test_a_dtd_in_any_part_is_refused(parse, part: str) -> None:
    with pytest.raises(DocumentRefused, match="DTD"):
        parse(deck([shape("x")], parts={part: "<!DOCTYPE a><a/>"}), "a.pptx")


def test_archive_limits_hold(parse) -> None:
    bomb = deck([shape("A" * (12 << 20))])
    with pytest.raises(DocumentTooLarge, match="expands"):
        parse(bomb, "a.pptx")
    with pytest.raises(DocumentTooLarge, match="parts; at most 10,000"):
        parse(zipped({**{f"m/{n}": b"" for n in range(70_000)}, "ppt/presentation.xml": "<p/>"}), "a.pptx")


def test_deep_nesting_is_refused_or_read(parse) -> None:
    def nested(depth: int) -> bytes:
        return deck([shape("top") + "<p:grpSp>" * depth + shape("deep") + "</p:grpSp>" * depth])

    assert "deep" in parse(nested(200), "a.pptx").text
    document_error = (DocumentDamaged, DocumentTooLarge)
    with pytest.raises(document_error):
        parse(nested(3_000), "a.pptx")
