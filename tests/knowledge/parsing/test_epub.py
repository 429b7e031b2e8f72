from __future__ import annotations

import io
import zipfile
from typing import Any

import office
import pytest

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentRefused, DocumentTooLarge, DocumentWithoutText

XHTML = '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
CONTAINER = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'


def page(body: str, head: str = "<title>t</title>") -> str:
    return f'{XHTML}<html xmlns="http://www.w3.org/1999/xhtml"><head>{head}</head><body>{body}</body></html>'


def book(
    chapters: dict[str, str],
    *,
    metadata: str = "",
    items: str = "",
    spine: str | None = None,
    guide: str = "",
    **files: str,
) -> bytes:
    """Chapters by file name; ``files`` are further members, ``__`` standing for a slash and ``_`` for a dot."""
    listed = "".join(f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in chapters)
    order = "".join(f'<itemref idref="{name}"/>' for name in chapters) if spine is None else spine
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{metadata}</metadata><manifest>{listed}{items}</manifest><spine>{order}</spine>{guide}</package>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", opf)
        for name, text in chapters.items():
            archive.writestr(f"OPS/{name}", text)
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_", ".").replace("META.INF", "META-INF"), text)
    return out.getvalue()


@pytest.mark.parametrize("expected", office.of_format("epub"))
def test_real_books(parse, expected: Any) -> None:
    assert office.unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_chapters_come_in_the_order_of_the_spine_below_title_and_author(parse, shown) -> None:
    chapters = {
        "b.xhtml": page("<h1>One</h1><p>First.</p>"),
        "a.xhtml": page("<h1>Two</h1><h2>Part</h2><p>Second.</p>"),
    }
    metadata = "<dc:title>The\n Book</dc:title><dc:creator>Ann Smith</dc:creator><dc:creator>Bo</dc:creator>"
    document = parse(book(chapters, metadata=metadata), "a.epub")
    assert document.title == "The Book"
    assert shown(document) == [
        ("title", "The Book"),
        ("paragraph", "By Ann Smith, Bo"),
        ("heading", "One"),
        ("paragraph", "First."),
        ("heading", "Two"),
        ("heading", "Part"),
        ("paragraph", "Second."),
    ]
    assert document.blocks[-1].heading_path == ("Two", "Part")


def test_title_and_author_that_the_text_says_do_not_come_twice(parse) -> None:
    chapters = {"a.xhtml": page("<h1>THE BOOK</h1><p>by Ann\nSmith</p>")}
    metadata = "<dc:title>The Book</dc:title><dc:creator>Ann Smith</dc:creator>"
    assert parse(book(chapters, metadata=metadata), "a.epub").text == "THE BOOK\n\nby Ann Smith"


@pytest.mark.parametrize(
    ("chapter", "read"),
    [
        (page("<p>caf&eacute;&nbsp;&mdash; na&iuml;ve</p>"), "café — naïve"),
        (page("<p>kept</p>", head="<title/><script src='x'/><style/>"), "kept"),
        (page("<p>one <a id='p1'/>two<i/> three</p><div/><p>four</p>"), "one two three\n\nfour"),
        (page("<p><![CDATA[1 < 2 & 3]]></p>"), "1 < 2 & 3"),
        (page("<p>a<br/>b<img src='x'/></p><hr/>"), "a\nb"),
        (page("<p>unclosed <b>bold"), "unclosed bold"),
        ("<!DOCTYPE html [<!-- nothing -->]>" + page("<p>kept</p>").removeprefix(XHTML), "kept"),
    ],
)
def test_xhtml_loses_no_text(parse, chapter: str, read: str) -> None:
    assert parse(book({"a.xhtml": chapter}), "a.epub").text == read


def test_old_encodings_are_read(parse) -> None:
    chapter = page("<p>Договор аренды</p>").replace("utf-8", "windows-1251").encode("cp1251")
    assert parse(book({"a.xhtml": chapter}), "a.epub").text == "Договор аренды"


def test_the_table_of_contents_is_left_out(parse) -> None:
    links = "<h2>Contents</h2><ol><li><a href='a.xhtml'>One</a></li></ol>"
    nav = '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    chapters = {"toc.xhtml": page(links), "a.xhtml": page("<p>Words of the first chapter.</p>")}
    spine = '<itemref idref="nav"/><itemref idref="toc.xhtml"/><itemref idref="a.xhtml"/>'
    guide = '<guide><reference type="toc" href="toc.xhtml"/></guide>'
    data = book(chapters, items=nav, spine=spine, guide=guide, OPS__nav_xhtml=page("<p>Navigation</p>"))
    assert parse(data, "a.epub").text == "Words of the first chapter."


def test_a_chapter_named_as_contents_that_holds_words_is_read(parse) -> None:
    guide = '<guide><reference type="toc" href="a.xhtml"/></guide>'
    text = parse(
        book({"a.xhtml": page("<a href='#x'>One</a><p>Many other words of a book.</p>")}, guide=guide), "a.epub"
    ).text
    assert "Many other words" in text


def test_chapters_come_once_and_missing_ones_are_named(parse) -> None:
    order = '<itemref idref="a.xhtml"/>' * 3 + '<itemref idref="gone"/><itemref idref="../../etc/passwd"/>'
    document = parse(book({"a.xhtml": page("<p>once</p>")}, spine=order), "a.epub")
    assert document.text == "once"
    assert document.warnings == ("Chapters are missing in the file: gone, ../../etc/passwd.",)


def test_a_spine_of_a_hundred_thousand_items(parse) -> None:
    order = '<itemref idref="a.xhtml"/>' + "".join(f'<itemref idref="c{n}"/>' for n in range(100_000))
    document = parse(book({"a.xhtml": page("<p>words</p>")}, spine=order), "a.epub")
    assert document.text == "words"
    assert document.warnings[0].endswith("c0, c1, c2 and 99,997 more.")


def encryption(algorithm: str, uri: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">'
        f'<enc:EncryptedData><enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData><enc:CipherReference URI="{uri}"/>'
        "</enc:CipherData></enc:EncryptedData></encryption>"
    )


def test_protected_books_are_refused_and_obfuscated_fonts_are_fine(parse) -> None:
    chapters = {"a.xhtml": page("<p>words</p>")}
    locked = encryption("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "OPS/a.xhtml")
    with pytest.raises(DocumentEncrypted, match="DRM"):
        parse(book(chapters, META_INF__encryption_xml=locked), "a.epub")
    fonts = encryption("http://www.idpf.org/2008/embedding", "OPS/font.otf")
    assert parse(book(chapters, META_INF__encryption_xml=fonts), "a.epub").text == "words"


def test_entities_of_their_own_are_refused(parse) -> None:
    chapter = page("<p>&x;</p>").replace('xhtml11.dtd">', 'xhtml11.dtd" [<!ENTITY x "words">]>')
    with pytest.raises(DocumentRefused, match="entities"):
        parse(book({"a.xhtml": chapter}), "a.epub")


def test_broken_books_are_refused_in_words(parse, rezip) -> None:
    good = book({"a.xhtml": page("<p>words</p>")})
    with pytest.raises(DocumentDamaged, match="not valid XML"):
        parse(rezip(good, {"OPS/book.opf": lambda body: body[:80]}), "a.epub")
    with pytest.raises(DocumentDamaged, match="where its chapters are"):
        parse(rezip(good, {"META-INF/container.xml": lambda _: b"<x/>"}, **{"b.opf": b"<x/>"}), "a.epub")
    with pytest.raises(DocumentDamaged, match="not in it"):
        parse(book({}, spine='<itemref idref="gone"/>'), "a.epub")
    with pytest.raises(DocumentWithoutText):
        parse(book({"a.xhtml": page("<img src='cover.jpg'/>")}, metadata="<dc:title>Pictures</dc:title>"), "a.epub")
    with pytest.raises(DocumentTooLarge, match="expands"):
        parse(book({"a.xhtml": page("A" * (64 << 20))}), "a.epub")
    with pytest.raises(DocumentTooLarge, match="512 deep"):
        parse(book({"a.xhtml": page("<div>" * 5000)}), "a.epub")
