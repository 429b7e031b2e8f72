"""W01 to I03: archives of XML that expand, reach out or hide, archives that are no document, and pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable

from hostile import Case, Failed, Ready, over, refused
from hostile_bytes import MB, png, repeated, with_link, with_member, zip_of

from knowledge.errors import (
    DocumentDamaged,
    DocumentRefused,
    DocumentTooLarge,
    UnsupportedFormat,
)
from knowledge.parsing.formats import DOCX, PNG, XLSX

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
HELLO = "<w:p><w:r><w:t>hello canary</w:t></w:r></w:p>"


def _relations(*targets: tuple[str, str, str]) -> str:
    """``(kind, target, further attributes)`` of each."""
    rows = (
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"{more}/>'
        for n, (kind, target, more) in enumerate(targets, start=1)
    )
    return f"{HEAD}<Relationships {_RELATIONS}>{''.join(rows)}</Relationships>"


def _types(**parts: str) -> str:
    rows = "".join(
        f'<Override PartName="/{name.replace("__", "/")}.xml" ContentType="{kind}+xml"/>'
        for name, kind in parts.items()
    )
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    return f'{HEAD}<Types xmlns="{types}">{rels}<Default Extension="xml" ContentType="application/xml"/>{rows}</Types>'


def docx_parts(body: str = HELLO, *, doctype: str = "") -> dict[str, bytes | str]:
    return {
        "[Content_Types].xml": _types(
            word__document=f"{_WORD}.document.main", word__footnotes=f"{_WORD}.footnotes",
            word__comments=f"{_WORD}.comments",
        ),
        "_rels/.rels": _relations(("officeDocument", "word/document.xml", "")),
        "word/document.xml": f"{HEAD}{doctype}<w:document {_W}><w:body>{body}<w:sectPr/></w:body></w:document>",
        "word/_rels/document.xml.rels": _relations(("footnotes", "footnotes.xml", ""), ("comments", "comments.xml", "")),
    }  # fmt: skip


def docx(body: str = HELLO, *, doctype: str = "") -> bytes:
    return zip_of(docx_parts(body, doctype=doctype))


def entity_bomb() -> bytes:
    entities = f'<!ENTITY a "{"A" * 1000}">' + "".join(
        f'<!ENTITY {chr(code)} "{f"&{chr(code - 1)};" * 10}">' for code in range(98, 105)
    )
    return docx(HELLO.replace("hello", "&h;"), doctype=f"<!DOCTYPE w [{entities}]>")


def bomb() -> bytes:
    """512 MB in one text node."""
    parts = docx_parts()
    before, after = str(parts.pop("word/document.xml")).split("hello")
    pieces = (before.encode(), *(b"A" * MB for _ in range(512)), after.encode())
    return with_member(zip_of(parts), "word/document.xml", iter(pieces))


def slip() -> bytes:
    members = {
        "../../../../tmp/pwned.txt": "x",
        "word/media/../../../../tmp/p2": "x",
        "/abs.txt": "x",
        "..\\..\\w.txt": "x",
    }
    return with_link(zip_of({**docx_parts(), **members}), "word/media/link", "/etc/passwd")


def slip_zip() -> bytes:
    return with_link(zip_of({"../../evil.txt": "x", "/abs.txt": "x", "..\\..\\win.txt": "x"}), "link", "/etc/passwd")


def external_image() -> bytes:
    image = ("image", "http://127.0.0.1:9/x.png", ' TargetMode="External"')
    drawn = (
        '<w:p><w:r><w:drawing><a:blip xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        f'xmlns:r="{_OFFICE}" r:link="rId1"/></w:drawing></w:r></w:p>'
    )
    return zip_of({**docx_parts(HELLO + drawn), "word/_rels/document.xml.rels": _relations(image)})


def hidden_parts() -> bytes:
    """Tracked changes, a comment, a footnote, a text box and hidden words."""

    def run(text: str, properties: str = "", tag: str = "t") -> str:
        return f"<w:r>{properties}<w:{tag}>{text}</w:{tag}></w:r>"

    who = 'w:id="1" w:author="A" w:date="2026-01-01T00:00:00Z"'
    box = f"<w:r><w:pict><w:txbxContent><w:p>{run('boxed words')}</w:p></w:txbxContent></w:pict></w:r>"
    body = (
        f"{HELLO}<w:p>{run('kept ')}<w:del {who}>{run('deleted words', tag='delText')}</w:del>"
        f"<w:ins {who}>{run('inserted words')}</w:ins>"
        f'<w:r><w:footnoteReference w:id="2"/></w:r><w:commentRangeStart w:id="3"/>{run(" commented")}'
        f'<w:commentRangeEnd w:id="3"/><w:r><w:commentReference w:id="3"/></w:r>{box}</w:p>'
        f"<w:p>{run('hidden words', '<w:rPr><w:vanish/></w:rPr>')}</w:p>"
    )
    notes = f'{HEAD}<w:footnotes {_W}><w:footnote w:id="2"><w:p>{run("noted words")}</w:p></w:footnote></w:footnotes>'
    comments = (
        f'{HEAD}<w:comments {_W}><w:comment w:id="3" w:author="A"><w:p>{run("remark")}</w:p></w:comment></w:comments>'
    )
    return zip_of({**docx_parts(body), "word/footnotes.xml": notes, "word/comments.xml": comments})


def xlsx_parts(rows: str) -> dict[str, bytes | str]:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    book = '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets>'
    return {
        "[Content_Types].xml": _types(xl__workbook=f"{_SHEET}.sheet.main", xl__worksheets__sheet1=f"{_SHEET}.worksheet"),
        "_rels/.rels": _relations(("officeDocument", "xl/workbook.xml", "")),
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{main}" xmlns:r="{_OFFICE}">{book}</workbook>',
        "xl/_rels/workbook.xml.rels": _relations(("worksheet", "worksheets/sheet1.xml", "")),
        "xl/worksheets/sheet1.xml": f'{HEAD}<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }  # fmt: skip


def xlsx(rows: str) -> bytes:
    return zip_of(xlsx_parts(rows))


def _cell(place: str, text: str, formula: str = "") -> str:
    if formula:
        return f'<c r="{place}" t="str"><f>{formula}</f><v>{text}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def formulas() -> bytes:
    """Formulas of which one was never calculated, texts that look like formulas, and a row far below."""
    first = _cell("A1", "kept value", "cmd|&apos;/C calc&apos;!A0") + '<c r="B1"><f>1+1</f></c>'
    first += "".join(_cell(f"{column}1", text) for column, text in zip("CDE", ("@SUM(1)", "+1", "-1"), strict=True))
    return xlsx(f'<row r="1">{first}</row><row r="1048576">{_cell("A1048576", "far below")}</row>')


@functools.cache
def nested_zip() -> bytes:
    """Four levels of ten copies each; the innermost inflates to 256 MB."""
    leaf = with_member(zip_of({}), "a.txt", (b"0" * MB for _ in range(256)))
    for _ in range(4):
        leaf = zip_of({f"{number}.zip": leaf for number in range(10)})
    return leaf


def picture_bomb() -> bytes:
    """30,000 by 30,000 grey pixels."""
    return png(30_000, 30_000, repeated(bytes(30_001) * 30, 1000))


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script><foreignObject>'
    b'<iframe src="javascript:alert(3)"/></foreignObject><image href="http://evil.test/p"/></svg>'
)


def _docx(
    row: str, name: str, make: Callable[[], bytes], ready: Ready | None = None, failed: Failed | None = None
) -> Case:
    return Case(row=row, name=name, make=make, ready=ready, failed=failed, format=DOCX)


_EXTERNAL = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
DTD = refused(DocumentRefused, words="dtd")
NO_ARCHIVE = refused(UnsupportedFormat, words="zip archive")
PICTURE = refused(words="pixel|megapixel|text recognition|picture")

OFFICE = (
    _docx("W01", "xxe.docx", lambda: docx(HELLO.replace("hello", "&x;"), doctype=_EXTERNAL), failed=DTD),
    _docx("W02", "lol.docx", entity_bomb, failed=DTD),
    _docx("W03", "bomb.docx", bomb, failed=refused(DocumentTooLarge, words="expands")),
    _docx("W04", "slip.docx", slip, Ready(whole="hello canary")),
    Case(row="W04", name="slip.zip", make=slip_zip, failed=NO_ARCHIVE),
    _docx("W05", "many.docx", lambda: zip_of({**docx_parts(), **{f"word/media/{n}.bin": b"" for n in range(70_000)}}),
          failed=refused(DocumentTooLarge, words="parts")),
    _docx("W06", "extimg.docx", external_image, Ready(holds=("hello canary",), lacks=("127.0.0.1",))),
    _docx("W07", "deep.docx", lambda: docx(HELLO + "<w:smartTag>" * 3000 + "</w:smartTag>" * 3000),
          failed=refused(DocumentDamaged, DocumentTooLarge, words="damaged|deep")),
    _docx("W08", "hidden.docx", hidden_parts,
          Ready(holds=("hello canary", "kept", "inserted words", "noted words", "boxed words", "commented"),
                lacks=("deleted words", "hidden words"), warns="idden text")),
    Case(row="X01", name="far_cell.xlsx", make=lambda: xlsx(f'<row r="1048576">{_cell("XFD1048576", "far cell")}</row>'),
         ready=Ready(holds=("far cell",)), failed=over("cells|rows|columns"), format=XLSX, seconds=5),
    Case(row="X02", name="formula_far.xlsx", make=formulas, format=XLSX,
         ready=Ready(holds=("@SUM(1)", "+1", "-1", "far below", "kept value"))),
    Case(row="Z01", name="nested.zip", make=nested_zip, failed=NO_ARCHIVE),
    Case(row="Z01", name="nested.docx", make=nested_zip, failed=NO_ARCHIVE),
    Case(row="I01", name="bomb.png", make=picture_bomb, failed=PICTURE, format=PNG),
    Case(row="I02", name="dim.png", make=lambda: png(2**31 - 1, 2**31 - 1, b""), failed=refused(), format=PNG),
    Case(row="I03", name="x.svg", make=lambda: SVG, failed=refused(UnsupportedFormat, words="svg")),
    Case(row="I03", name="svg_named.png", make=lambda: SVG, failed=refused(UnsupportedFormat, words="named .png"), format=PNG),
)  # fmt: skip
