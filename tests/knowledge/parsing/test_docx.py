from __future__ import annotations

from typing import Any

import pytest
from docx.oxml.ns import nsdecls

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge

PART = "word/document.xml"


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
    assert parse(with_body(make_docx, rezip, xml), "a.docx").text == "kept inserted\nnext tab"


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
