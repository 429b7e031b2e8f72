from __future__ import annotations

import io
import zipfile

import pytest

from knowledge.errors import DocumentEmpty, DocumentEncrypted, UnsupportedFormat
from knowledge.parsing.formats import CSV, DOCX, HTML, MARKDOWN, ODP, ODT, PDF, PPTX, TEXT
from knowledge.parsing.registry import detect, extensions, media_types, parser_for


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name in names:
            target.writestr(name, "x")
    return out.getvalue()


WORD = archive("[Content_Types].xml", "word/document.xml")


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"%PDF-1.7\n", "a.pdf", PDF),
        (b"\n\njunk%PDF-1.7\n", "a.pdf", PDF),
        (b"%PDF-1.7\n", "no extension", PDF),
        (WORD, "A.DOCX", DOCX),
        (WORD, "upload", DOCX),
        (archive("ppt/presentation.xml"), "a.ppsx", PPTX),
        (archive("content.xml", "META-INF/manifest.xml"), "a.odp", ODP),
        (archive("content.xml", "META-INF/manifest.xml"), "upload", ODT),
        (b"words", "a.txt", TEXT),
        (b"words", "LICENSE", TEXT),
        (b"<p>", "a.txt", TEXT),
        (b"# x", "x/y\\a.MD", MARKDOWN),
        (b"<p>x", "a.html", HTML),
        (b"\xef\xbb\xbf <!-- c --> <!DOCTYPE HTML><p>", "page", HTML),
        (b"a,b", "a.csv", CSV),
        ("Käse".encode("cp1252") * 50, "a.txt", TEXT),
        ("Käse".encode("utf-16"), "a.txt", TEXT),
        (b"abc\0def\0\xff\xfe", "nul.txt", TEXT),
        (b"MZ is also how a text may begin", "a.txt", TEXT),
    ],
)
def test_content_decides_then_the_extension(data: bytes, name: str, expected: str) -> None:
    assert detect(data, name) == expected


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (WORD, "a.pdf", "named .pdf but is really a Word document"),
        (b"%PDF-1.7\n", "a.docx", "named .docx but is really a PDF"),
        (b"%PDF-1.7\n", "a.txt", "is really a PDF"),
        (b"<!doctype html><title>Sign in", "a.pdf", "really an HTML page"),
        (b"just words", "a.docx", "really plain text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a.txt", "a PNG picture"),
        (b"MZ\x90\0\3\0\0\0" + bytes(range(256)) * 4, "a.md", "a Windows program"),
        (bytes(range(256)) * 4, "a.pdf", "binary data"),
        (bytes(range(256)) * 4, "noname", "binary data"),
        (archive("ppt/presentation.xml"), "a.docx", "is really a presentation"),
        (archive("content.xml", "META-INF/manifest.xml"), "a.docx", "is really an OpenDocument text"),
        (archive("xl/workbook.xml"), "a.docx", "a spreadsheet"),
        (archive("x.txt"), "a.zip", "a ZIP archive"),
        (b"{\\rtf1 x}", "a.txt", "Rich Text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.doc", "old binary Office"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, name: str, words: str) -> None:
    with pytest.raises(UnsupportedFormat, match=words):
        detect(data, name)


def test_no_bytes_are_an_empty_document() -> None:
    with pytest.raises(DocumentEmpty):
        detect(b"", "a.txt")


def test_an_office_file_with_a_password_is_encrypted() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(DocumentEncrypted):
        detect(data, "a.docx")


def test_a_pdf_with_a_zip_behind_it_is_a_pdf() -> None:
    assert detect(b"%PDF-1.7\n" + archive("word/document.xml"), "a.pdf") == PDF


def test_every_media_type_has_a_parser_that_names_it() -> None:
    for media_type in media_types():
        parser = parser_for(media_type)
        assert media_type in parser.media_types
        assert set(parser.extensions) <= set(extensions())
    with pytest.raises(UnsupportedFormat):
        parser_for("image/gif")
