"""Rows that section 4.1 does not have, for formats that came later: amplification, nesting, numbers and characters no text has."""

from __future__ import annotations

from collections.abc import Callable

from hostile import Case, Failed, Ready, over, refused
from hostile_bytes import MB, with_member, zip_of
from hostile_office import HEAD, xlsx_parts

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.formats import DOCX, EML, EPUB, HTML, JSON, JSONL, NOTEBOOK, ODS, RTF, SRT, VTT, XLSX

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def shared_string() -> bytes:
    """One text of 100 KB that 20,000 cells share: 2 GB of text."""
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 20_001))
    parts = xlsx_parts(cells)
    relations = str(parts["xl/_rels/workbook.xml.rels"])
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    shared = f'<Relationship Id="rId9" Type="{kind}" Target="sharedStrings.xml"/></Relationships>'
    parts["xl/_rels/workbook.xml.rels"] = relations.replace("</Relationships>", shared)
    parts["xl/sharedStrings.xml"] = f'{HEAD}<sst xmlns="{_MAIN}"><si><t>{"s" * 100_000}</t></si></sst>'
    return zip_of(parts)


def ods(rows: str) -> bytes:
    names = f'xmlns:office="{_OFFICE}" xmlns:table="{_TABLE}" xmlns:text="{_TEXT}"'
    table = f'<office:spreadsheet><table:table table:name="Sheet1">{rows}</table:table></office:spreadsheet>'
    content = f'<office:document-content {names} office:version="1.2"><office:body>{table}</office:body></office:document-content>'
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    return zip_of(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": HEAD.replace(' standalone="yes"', "") + content,
            "META-INF/manifest.xml": manifest,
        }
    )


def repeated_cells() -> bytes:
    """A value repeated a billion times to the right and below."""
    cell = '<table:table-cell office:value-type="string" table:number-columns-repeated="1000000000"><text:p>far</text:p></table:table-cell>'
    return ods(f'<table:table-row table:number-rows-repeated="1000000000">{cell}</table:table-row>')


def book() -> bytes:
    """A chapter that inflates to 512 MB."""
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest><item id="c" href="c.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c"/></spine></package>'
    )
    parts: dict[str, bytes | str] = {
        "mimetype": "application/epub+zip", "META-INF/container.xml": container, "a.opf": package,
    }  # fmt: skip
    return with_member(zip_of(parts), "c.xhtml", (b"<p>" + b"A" * MB for _ in range(512)))


def nested_mail(depth: int) -> bytes:
    """Parts in mails in parts, the words in the innermost."""
    mail = b"Content-Type: text/plain\n\ncanary\n"
    for level in range(depth):
        inner = (b"Content-Type: message/rfc822\n\n" if level % 2 else b"") + mail
        head = b"Subject: level %d\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b%d.\n\n" % (
            level,
            level,
        )
        mail = head + b"--b%d.\n%s\n--b%d.--\n" % (level, inner, level)
    return mail


def many_parts() -> bytes:
    part = b"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nwords\n"
    return b"Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + part * 50_000 + b"--b--\n"


RAW_MAIL = b"From: \xe9\xff <a@b.test>\nSubject: \xe9t\xe9 =?utf-8?b?////?= =?x-none?q?abc?=\n\ncanary \xff\n"
SURROGATES = b'{"a": "lone \\ud83d here", "b\\udc00": "canary", "c": "nul \\u0000 here"}'


def _case(
    name: str, kind: str, make: Callable[[], bytes], ready: Ready | None = None, failed: Failed | None = None
) -> Case:
    return Case(row="more", name=name, format=kind, make=make, ready=ready, failed=failed)


CANARY = Ready(holds=("canary",), lacks=("\0", "\ud83d", "\udc00"))
DAMAGED = refused(DocumentDamaged, DocumentTooLarge, DocumentRefused, DocumentWithoutText)

MORE = (
    _case("shared_string.xlsx", XLSX, shared_string, failed=over("characters|text")),
    _case("repeated.ods", ODS, repeated_cells, Ready(holds=("far",)), over("cells")),
    _case("fake.docx", DOCX, lambda: b"PK\x03\x04" + bytes(500), failed=refused(words="zip archive|damaged")),
    _case("deep.ods", ODS, lambda: ods("<table:table-row-group>" * 3000 + "</table:table-row-group>" * 3000), failed=DAMAGED),
    _case("bomb.epub", EPUB, book, failed=refused(DocumentTooLarge, words="expands")),
    _case("deep.rtf", RTF, lambda: b"{\\rtf1 canary " + b"{" * 200_000 + b"}" * 200_001, CANARY, over("deep|nest|damaged")),
    _case("unclosed.rtf", RTF, lambda: b"{\\rtf1 canary " + b"{\\b x" * 50_000, CANARY, over("deep|nest|damaged")),
    _case("binary.rtf", RTF, lambda: b"{\\rtf1 canary \\bin999999999 x \\u-10240? \\u0? \\'zz}", CANARY, DAMAGED),
    _case("words.rtf", RTF, lambda: b"{\\rtf1 canary" + b"\\a" * 2_000_000 + b"}", CANARY, DAMAGED),
    _case("deep.eml", EML, lambda: nested_mail(60), Ready(warns="."), over("deep|nest")),
    _case("parts.eml", EML, many_parts, Ready(warns="."), over("attachment|parts|files")),
    _case("raw_header.eml", EML, lambda: RAW_MAIL, CANARY),
    _case("header.eml", EML, lambda: b"Subject: " + b"=?utf-8?q?a?= " * 200_000 + b"\n\ncanary\n", CANARY, over("header|long")),
    _case("surrogates.json", JSON, lambda: SURROGATES, CANARY),
    _case("digits.json", JSON, lambda: b'{"a": ' + b"9" * 3_000_000 + b', "b": "canary"}', CANARY, over("digits|number|json")),
    _case("wide.json", JSON, lambda: b"[" + b"1," * 3_000_000 + b"1]", failed=over("values|characters|blocks|paragraphs")),
    _case("surrogates.jsonl", JSONL, lambda: SURROGATES + b"\n" + SURROGATES, CANARY),
    _case("surrogates.ipynb", NOTEBOOK, lambda: b'{"cells": [{"cell_type": "markdown", "source": ["lone \\ud83d canary"], "metadata": {}}],'
          b' "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', CANARY),
    _case("surrogates.html", HTML, lambda: b"<p>&#xD83D; &#0; canary", CANARY),
    _case("times.vtt", VTT, lambda: b"WEBVTT\n\n99999999999:00:00.000 --> 00:00:01.000\ncanary\n", CANARY, DAMAGED),
    _case("times.srt", SRT, lambda: b"1\n" * 100_000 + b"00:00:00,000 --> 00:00:01,000\ncanary\n", CANARY, DAMAGED),
)  # fmt: skip
