from __future__ import annotations

from typing import Any

import pytest
from docx.oxml.ns import nsdecls
from made_slides import CHARTS, A, R, chart, points, series
from office import Expected, of_format, unmet

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge

PART = "word/document.xml"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@pytest.mark.parametrize("expected", of_format("docx"))
def test_real_documents(parse, expected: Expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def build(document: Any) -> None:
    document.add_heading("Report", 0)
    document.add_heading("Results", 1)
    document.add_paragraph("First paragraph.")
    document.add_paragraph("An item", style="List Bullet")
    document.add_heading("Costs", 2)
    table = document.add_table(rows=3, cols=2)
    for row, (name, price) in enumerate([("Item", "Price"), ("Desk", "10"), ("Lamp", "20")]):
        table.cell(row, 0).text, table.cell(row, 1).text = name, price
    document.add_paragraph("After the table.")


def test_blocks_come_in_document_order(parse, make_docx, shown) -> None:
    document = parse(make_docx(build), "a.docx")
    assert shown(document) == [
        ("title", "Report"),
        ("heading", "Results"),
        ("paragraph", "First paragraph."),
        ("list_item", "An item"),
        ("heading", "Costs"),
        ("table_row", "Item: Desk; Price: 10"),
        ("table_row", "Item: Lamp; Price: 20"),
        ("paragraph", "After the table."),
    ]
    assert document.title == "Report"
    assert document.blocks[-1].heading_path == ("Results", "Costs")
    cells = document.blocks[5].attrs["cells"]
    assert [document.text[a:b] for a, b in cells] == ["Desk", "10"]


def with_body(make_docx: Any, rezip: Any, xml: str) -> bytes:
    def replace(body: bytes) -> bytes:
        return body.replace(b"<w:p><w:r><w:t>MARK</w:t></w:r></w:p>", xml.encode())

    return rezip(make_docx(lambda d: d.add_paragraph("MARK")), {PART: replace})


def test_tracked_deletions_and_hidden_text_are_left_out(parse, make_docx, rezip) -> None:
    xml = (
        "<w:p><w:r><w:t>kept </w:t></w:r><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>inserted</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:br/><w:t>next</w:t><w:tab/><w:t>tab</w:t></w:r></w:p>"
    )
    document = parse(with_body(make_docx, rezip, xml), "a.docx")
    assert document.text == "kept inserted\nnext tab"
    assert document.warnings == ("Hidden text was left out.",)


def test_a_style_may_hide_text_and_a_run_may_show_it_again(parse, make_docx, rezip) -> None:
    styles = b'<w:style w:type="character" w:styleId="Hid"><w:rPr><w:vanish/></w:rPr></w:style><w:style w:type="character" w:styleId="Sub"><w:basedOn w:val="Hid"/></w:style></w:styles>'
    xml = (
        '<w:p><w:r><w:rPr><w:rStyle w:val="Sub"/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:rPr><w:rStyle w:val="Hid"/>'
        '<w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r></w:p>'
    )
    data = rezip(
        with_body(make_docx, rezip, xml), {"word/styles.xml": lambda body: body.replace(b"</w:styles>", styles)}
    )
    assert parse(data, "a.docx").text == "shown"


def test_fields_show_their_results_and_equations_their_characters(parse, make_docx, rezip) -> None:
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    xml = (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF x</w:instrText></w:r><w:r><w:t>Table 3</w:t></w:r>'
        '<w:fldSimple w:instr="DATE"><w:r><w:t>, May&#13;1</w:t></w:r></w:fldSimple></w:p>'
        f"<w:p><m:oMathPara {math}><m:oMath><m:r><m:t>v=</m:t></m:r><m:f><m:num><m:r><m:t>s</m:t></m:r></m:num><m:den><m:r><m:t>t</m:t></m:r>"
        "</m:den></m:f></m:oMath></m:oMathPara></w:p>"
        "<w:p><w:r><w:ruby><w:rt><w:r><w:t>kan</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>\u6f22</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>"
    )
    assert parse(with_body(make_docx, rezip, xml), "a.docx").text == "Table 3, May\n1\n\nv=s/t\n\n\u6f22"


def test_text_boxes_follow_their_paragraph_once(parse, make_docx, rezip) -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>In the box</w:t></w:r></w:p></w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    xml = (
        f"<w:p><w:r><w:t>Anchor</w:t></w:r><w:r><mc:AlternateContent {mc}><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert parse(with_body(make_docx, rezip, xml), "a.docx").text == "Anchor\n\nIn the box"


def test_content_controls_are_opened(parse, make_docx, rezip) -> None:
    xml = "<w:sdt><w:sdtContent><w:p><w:r><w:t>controlled</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    assert parse(with_body(make_docx, rezip, xml), "a.docx").text == "controlled"


def test_footnotes_stand_at_the_end(parse, make_docx, rezip, shown) -> None:
    notes = (
        f"<w:footnotes {nsdecls('w')}><w:footnote w:type='separator' w:id='0'><w:p><w:r><w:t>-</w:t></w:r></w:p>"
        "</w:footnote><w:footnote w:id='1'><w:p><w:r><w:t>See annex.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    data = rezip(make_docx(lambda d: d.add_paragraph("Body.")), **{"word/footnotes.xml": notes.encode()})
    assert shown(parse(data, "a.docx")) == [("paragraph", "Body."), ("footnote", "See annex.")]


def test_a_vertically_merged_cell_is_repeated_in_each_row(parse, make_docx, shown) -> None:
    def merged(document: Any) -> None:
        table = document.add_table(rows=3, cols=2)
        for row, texts in enumerate([("Region", "City"), ("North", "Oslo"), ("", "Bergen")]):
            table.cell(row, 0).text, table.cell(row, 1).text = texts
        table.cell(1, 0).merge(table.cell(2, 0))

    found = [text for _, text in shown(parse(make_docx(merged), "a.docx"))]
    assert found == ["Region: North; City: Oslo", "Region: North; City: Bergen"]


def test_outline_levels_make_headings(parse, make_docx, rezip, shown) -> None:
    xml = "<w:p><w:pPr><w:outlineLvl w:val='2'/></w:pPr><w:r><w:t>Outlined</w:t></w:r></w:p>"
    document = parse(with_body(make_docx, rezip, xml), "a.docx")
    assert (document.blocks[0].kind.value, document.blocks[0].level) == ("heading", 3)


def test_a_circle_of_styles_ends(parse, make_docx) -> None:
    def circle(document: Any) -> None:
        style = document.styles.add_style("Loop", 1)
        style.base_style = style
        document.add_paragraph("text", style="Loop")

    assert parse(make_docx(circle), "a.docx").text == "text"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_dtd_is_refused(parse, make_docx, rezip, encoding: str) -> None:
    def infect(body: bytes) -> bytes:
        text = body.decode().split("?>", 1)[1].replace("hello", "hello &x;")
        dtd = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        return f'<?xml version="1.0" encoding="{encoding}"?><!-- c -->{dtd}{text}'.encode(encoding)

    data = rezip(make_docx(lambda d: d.add_paragraph("hello")), {PART: infect})
    with pytest.raises(DocumentRefused, match="DTD"):
        parse(data, "a.docx")


def test_a_dtd_in_a_part_that_is_not_read_is_refused_too(parse, make_docx, rezip) -> None:
    data = rezip(make_docx(lambda d: d.add_paragraph("x")), **{"word/extra.xml": b"<!DOCTYPE a><a/>"})
    with pytest.raises(DocumentRefused):
        parse(data, "a.docx")


def test_archive_limits_hold_before_inflating(parse, make_docx, rezip) -> None:
    plain = make_docx(lambda d: d.add_paragraph("hello"))
    many = rezip(plain, **{f"word/media/{n}.bin": b"" for n in range(300)})
    with pytest.raises(DocumentTooLarge, match="parts"):
        parse(many, "a.docx", archive_parts=200)
    bomb = rezip(plain, {PART: lambda body: body.replace(b"hello", b"A" * (12 << 20))})
    with pytest.raises(DocumentTooLarge, match="100-fold"):
        parse(bomb, "a.docx")
    with pytest.raises(DocumentTooLarge, match="expands beyond the limit of 5 MB"):
        parse(bomb, "a.docx", inflated_bytes=5 << 20)


def test_deep_nesting_is_refused(parse, make_docx, rezip) -> None:
    deep = "<w:smartTag>" * 3000 + "</w:smartTag>" * 3000
    with pytest.raises((DocumentDamaged, DocumentTooLarge)):
        parse(with_body(make_docx, rezip, deep), "a.docx")


def test_members_with_climbing_names_are_ignored(parse, make_docx, rezip) -> None:
    data = rezip(make_docx(lambda d: d.add_paragraph("hello")), **{"../../evil.txt": b"x", "word/../../p": b"x"})
    assert parse(data, "a.docx").text == "hello"


def test_a_truncated_archive_is_damaged(parse, make_docx) -> None:
    data = make_docx(lambda d: d.add_paragraph("hello"))
    with pytest.raises(DocumentDamaged):
        parse(data[: len(data) // 2], "a.docx")


def test_broken_xml_is_damaged(parse, make_docx, rezip) -> None:
    data = rezip(make_docx(lambda d: d.add_paragraph("x")), {PART: lambda body: body[:-40]})
    with pytest.raises(DocumentDamaged, match="not valid XML"):
        parse(data, "a.docx")


def test_a_main_part_of_another_name_is_found(parse, make_docx, rezip) -> None:
    import io
    import zipfile

    source = make_docx(lambda d: d.add_paragraph("renamed"))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            body = old.read(name).replace(b"/word/document.xml", b"/word/document2.xml")
            new.writestr(name.replace("word/document.xml", "word/document2.xml"), body)
    assert parse(out.getvalue(), "a.docx").text == "renamed"


def related(make_docx: Any, rezip: Any, xml: str, parts: dict[str, tuple[str, str]]) -> bytes:
    """A document with the body ``xml`` and more parts: (kind, content) by name, with the ids rX1, rX2, ..."""
    entries = "".join(
        f'<Relationship Id="rX{number}" Type="{RELATIONS}/{kind}" Target="{name}"/>'
        for number, (name, (kind, _)) in enumerate(parts.items(), start=1)
    )
    change = {
        "word/_rels/document.xml.rels": lambda body: body.replace(
            b"</Relationships>", entries.encode() + b"</Relationships>"
        )
    }
    added = {f"word/{name}": content.encode() for name, (_, content) in parts.items()}
    return rezip(with_body(make_docx, rezip, xml), change, **added)


def run(text: str, more: str = "") -> str:
    return f"<w:r>{more}<w:t>{text}</w:t></w:r>"


def test_comments_follow_their_paragraph_with_their_author(parse, make_docx, rezip, shown) -> None:
    def comment(number: int, author: str, text: str) -> str:
        return (
            f"<w:comment w:id='{number}' w:author='{author}'><w:p>{run(text)}</w:p><w:p>{run('more')}</w:p></w:comment>"
        )

    def reference(number: int) -> str:
        return f"<w:r><w:commentReference w:id='{number}'/></w:r>"

    listed = (
        comment(0, "Ann", "Why?")
        + comment(1, "", "Unsigned.")
        + comment(2, "Bob", "In a cell.")
        + comment(3, "Cy", "Nowhere.")
    )
    cells = f"<w:tc><w:p>{run('a')}{reference(2)}</w:p></w:tc><w:tc><w:p>{run('b')}</w:p></w:tc>"
    xml = (
        f"<w:p>{run('One.')}{reference(0)}{reference(0)}</w:p><w:p>{run('Two.')}{reference(1)}{reference(9)}</w:p>"
        f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
    )
    part = f"<w:comments {nsdecls('w')}>{listed}</w:comments>"
    document = parse(related(make_docx, rezip, xml, {"comments.xml": ("comments", part)}), "a.docx")
    assert shown(document) == [
        ("paragraph", "One."), ("note", "Comment by Ann: Why?\nmore"), ("paragraph", "Two."), ("note", "Comment: Unsigned.\nmore"),
        ("table_row", "a; b"), ("note", "Comment by Bob: In a cell.\nmore"), ("note", "Comment by Cy: Nowhere.\nmore"),
    ]  # fmt: skip


def test_headers_and_footers_are_furniture_once_each(parse, make_docx, rezip, shown) -> None:
    def part(kind: str, text: str) -> str:
        return f"<w:{kind} {nsdecls('w')}><w:p>{run(text)}</w:p></w:{kind}>"

    parts = {
        "h1.xml": ("header", part("hdr", "ACME")), "h2.xml": ("header", part("hdr", "ACME")), "f1.xml": ("footer", part("ftr", "Secret")),
        "h3.xml": ("header", part("hdr", "not used")), "h4.xml": ("header", "<broken"),
    }  # fmt: skip
    sections = "".join(
        f"<w:p><w:pPr><w:sectPr><w:headerReference {nsdecls('r')} r:id='{one}'/><w:footerReference {nsdecls('r')} r:id='rX3'/></w:sectPr></w:pPr>{run(one)}</w:p>"
        for one in ("rX1", "rX2", "rX5", "gone")
    )
    found = shown(parse(related(make_docx, rezip, sections, parts), "a.docx"))
    assert [entry for entry in found if entry[0] == "furniture"] == [("furniture", "ACME"), ("furniture", "Secret")]
    assert found[0] == ("paragraph", "rX1")


def level(number: int, kind: str, text: str, more: str = "") -> str:
    return f"<w:lvl w:ilvl='{number}'><w:numFmt w:val='{kind}'/><w:lvlText w:val='{text}'/>{more}</w:lvl>"


NUMBERING = (
    f"<w:numbering {nsdecls('w')}><w:abstractNum w:abstractNumId='0'>"
    + level(0, "decimal", "%1.", "<w:pStyle w:val='Heading1'/>") + level(1, "lowerLetter", "%2)", "<w:start w:val='3'/>")
    + level(2, "upperRoman", "%1.%2.%3", "<w:isLgl/>") + level(3, "bullet", "o") + level(4, "decimal", "%4-%5")
    + "</w:abstractNum><w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num>"
    "<w:num w:numId='2'><w:abstractNumId w:val='0'/><w:lvlOverride w:ilvl='0'><w:startOverride w:val='7'/></w:lvlOverride></w:num>"
    "<w:num w:numId='3'><w:abstractNumId w:val='99'/></w:num></w:numbering>"
)  # fmt: skip


def numbered(text: str, depth: int = 0, number: str = "1", more: str = "") -> str:
    return f"<w:p><w:pPr><w:numPr><w:ilvl w:val='{depth}'/><w:numId w:val='{number}'/></w:numPr>{more}</w:pPr>{run(text) if text else ''}</w:p>"


def test_list_items_keep_the_numbers_that_word_draws(parse, make_docx, rezip, shown) -> None:
    xml = (
        numbered("a") + numbered("b", 1) + numbered("c", 1) + numbered("d", 2) + numbered("e", 3) + numbered("f", 4)
        + numbered("") + numbered("g") + numbered("h", 1) + numbered("i", 0, "2") + numbered("j", 0, "2") + numbered("k")
        + numbered("", more="<w:rPr><w:del/></w:rPr>") + numbered("l") + numbered("m", 0, "3") + numbered("n", 0, "0")
        + numbered("o", 44)
    )  # fmt: skip
    data = rezip(with_body(make_docx, rezip, xml), {"word/numbering.xml": lambda _: NUMBERING.encode()})
    assert shown(parse(data, "a.docx")) == [
        ("list_item", "1. a"), ("list_item", "c) b"), ("list_item", "d) c"), ("list_item", "1.4.1 d"), ("list_item", "e"),
        ("list_item", "f"), ("list_item", "3. g"), ("list_item", "c) h"), ("list_item", "7. i"), ("list_item", "8. j"),
        ("list_item", "9. k"), ("list_item", "10. l"), ("list_item", "m"), ("paragraph", "n"), ("list_item", "o"),
    ]  # fmt: skip


def test_headings_are_numbered_by_their_style(parse, make_docx, rezip, shown) -> None:
    def style(body: bytes) -> bytes:
        change = b"<w:numPr><w:numId w:val='1'/></w:numPr>"
        at = body.index(b'w:styleId="Heading1"')
        return body[:at] + body[at:].replace(b"<w:pPr>", b"<w:pPr>" + change, 1)

    xml = "".join(f"<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr>{run(text)}</w:p>" for text in ("Aims", "Means"))
    changes = {"word/numbering.xml": lambda _: NUMBERING.encode(), "word/styles.xml": style}
    document = parse(rezip(with_body(make_docx, rezip, xml + f"<w:p>{run('x')}</w:p>"), changes), "a.docx")
    assert shown(document)[:2] == [("heading", "1. Aims"), ("heading", "2. Means")]
    assert document.blocks[2].heading_path == ("2. Means",)


def test_text_boxes_in_cells_and_deleted_rows(parse, make_docx, rezip, shown) -> None:
    box = f"<w:txbxContent><w:p>{run('boxed')}</w:p></w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    twice = f"<w:r><mc:AlternateContent {mc}><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>"
    xml = (
        f"<w:tbl><w:tr><w:tc><w:p>{run('a')}{twice}</w:p></w:tc><w:tc><w:p>{run('b')}</w:p></w:tc></w:tr>"
        f"<w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p>{run('gone')}</w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
    )
    assert shown(parse(with_body(make_docx, rezip, xml), "a.docx")) == [("table_row", "a; b"), ("paragraph", "boxed")]


def test_charts_are_tables_and_embedded_documents_are_told(parse, make_docx, rezip, shown) -> None:
    drawing = f'<w:drawing><a:graphic xmlns:a="{A}" xmlns:r="{R}"><a:graphicData><c:chart xmlns:c="{CHARTS}" r:id="rX1"/></a:graphicData></a:graphic></w:drawing>'
    parts = {"charts/c.xml": ("chart", chart(series("Sales", points("North", kind="strCache"), points("7"))))}
    data = related(make_docx, rezip, f"<w:p>{run('x')}<w:r>{drawing}</w:r></w:p><w:altChunk/>", parts)
    document = parse(data, "a.docx")
    assert shown(document) == [("paragraph", "x"), ("table_row", "North; Sales: 7")]
    assert document.warnings == ("An embedded document was left out.",)


def test_a_table_of_hostile_size_is_refused(parse, make_docx, rezip) -> None:
    long = f"<w:tc><w:tcPr><w:vMerge w:val='restart'/></w:tcPr><w:p>{run('x' * 50_000)}</w:p></w:tc>"
    below = "<w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc><w:tc><w:p/></w:tc>"
    xml = f"<w:tbl><w:tr>{long}<w:tc><w:p/></w:tc></w:tr>{f'<w:tr>{below}</w:tr>' * 8_000}</w:tbl>"
    with pytest.raises(DocumentTooLarge, match="table cells"):
        parse(with_body(make_docx, rezip, xml), "a.docx", cells=1_000_000)


STRICT = (
    (
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    ),
    (
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "http://purl.oclc.org/ooxml/officeDocument/relationships",
    ),
)


def test_strict_open_xml_is_read(parse, make_docx, rezip) -> None:
    def strict(body: bytes) -> bytes:
        for usual, other in STRICT:
            body = body.replace(usual.encode(), other.encode())
        return body

    names = (PART, "word/styles.xml", "word/_rels/document.xml.rels", "_rels/.rels")
    document = parse(rezip(make_docx(build), dict.fromkeys(names, strict)), "a.docx")
    assert document.text == parse(make_docx(build), "a.docx").text
    assert document.blocks[1].heading_path == ()
    assert document.blocks[1].level == 1


def test_other_compressions_and_broken_names_are_damaged(parse, make_docx) -> None:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as target:
        target.writestr("word/document.xml", "<x/>")
    with pytest.raises(DocumentDamaged, match="compressed in a way"):
        parse(out.getvalue(), "a.docx")
    data = bytearray(make_docx(lambda d: d.add_paragraph("x")))
    at = data.index(b"word/document.xml")  # its local header
    flags = data.rindex(b"PK\x03\x04", 0, at) + 6
    data[flags : flags + 2] = (0x800).to_bytes(2, "little")  # the name is UTF-8
    data[at] = 0xFF
    with pytest.raises(DocumentDamaged, match="cannot be read"):
        parse(bytes(data), "a.docx")
