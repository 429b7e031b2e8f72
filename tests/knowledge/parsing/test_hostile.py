"""Every hostile file ends in words, and the next document is read."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import made_opendocument as odf
import made_slides as slides
import pytest

from knowledge.errors import DocumentError, KnowledgeError, ParserCrashed
from knowledge.parsing import ChildParser, ParseLimits

TEXT = b"BT /F1 12 Tf 72 700 Td (hello canary) Tj ET\n"
TIGHT = ParseLimits(memory_bytes=200 * 1024 * 1024, cpu_seconds=20, wall_seconds=60)
SPACES = 300 * 1024 * 1024


def inflating(prefix: bytes, size: int) -> bytes:
    """Compress a prefix and so many spaces without ever holding them."""
    packer = zlib.compressobj(6)
    block = b" " * (1 << 20)
    return packer.compress(prefix) + b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


def one_page(objects_to_pdf: Callable[..., bytes], stream: bytes, filters: bytes, box: bytes = b"0 0 612 792") -> bytes:
    return objects_to_pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>" % box,
            b"<</Length %d/Filter%s>>stream\n%s\nendstream" % (len(stream), filters, stream),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        ]
    )


def refused(child: ChildParser, data: bytes, name: str, limits: ParseLimits = TIGHT) -> KnowledgeError:
    with pytest.raises((DocumentError, ParserCrashed)) as caught:
        child.parse(data, filename=name, limits=limits)
    assert child.parse(b"next document", filename="ok.txt", limits=limits).text == "next document"
    message = caught.value.message
    assert message.endswith((".", ")."))
    assert len(message) > 15
    return caught.value


def test_a_stream_that_inflates_without_end(child, objects_to_pdf) -> None:
    bomb = one_page(objects_to_pdf, inflating(TEXT, SPACES), b"/FlateDecode")
    assert "memory" in refused(child, bomb, "bomb.pdf").message


def test_a_bomb_within_a_bomb_is_not_silently_empty(child, objects_to_pdf) -> None:
    bomb = one_page(objects_to_pdf, zlib.compress(inflating(b"", SPACES)), b"[/FlateDecode/FlateDecode]")
    assert len(bomb) < 10_000
    refused(child, bomb, "chain.pdf")


def test_a_giant_media_box_is_read(child, objects_to_pdf) -> None:
    data = one_page(objects_to_pdf, zlib.compress(TEXT), b"/FlateDecode", box=b"0 0 9e9 9e9")
    assert child.parse(data, filename="a.pdf", limits=TIGHT).text == "hello canary"


@pytest.mark.parametrize("length", [60, 300, 420])
def test_truncated_pdfs(child, objects_to_pdf, length: int) -> None:
    refused(child, one_page(objects_to_pdf, zlib.compress(TEXT), b"/FlateDecode")[:length], "cut.pdf")


def _docx(make_docx: Any, rezip: Any, change: Callable[[bytes], bytes], **add: bytes) -> bytes:
    return rezip(make_docx(lambda d: d.add_paragraph("hello")), {"word/document.xml": change}, **add)


def test_documents_that_are_bombs_or_carry_dtds(child, make_docx, rezip) -> None:
    def entity(body: bytes) -> bytes:
        definitions = b'<!ENTITY a "' + b"A" * 1000 + b'">'
        for letter in range(98, 105):
            definitions += b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10)
        return body.replace(b"?>", b"?><!DOCTYPE w [" + definitions + b"]>", 1).replace(b"hello", b"&h;")

    assert "DTD" in refused(child, _docx(make_docx, rezip, entity), "lol.docx").message
    bomb = _docx(make_docx, rezip, lambda body: body.replace(b"hello", b"A" * (64 << 20)))
    assert "expands" in refused(child, bomb, "bomb.docx").message
    many = _docx(make_docx, rezip, lambda body: body, **{f"m/{n}": b"" for n in range(12_000)})
    assert "parts" in refused(child, many, "many.docx").message


def test_a_member_that_lies_about_its_size(child, make_docx, rezip) -> None:
    data = bytearray(_docx(make_docx, rezip, lambda body: body.replace(b"hello", b"A" * (8 << 20))))
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"word/document.xml"))
    data[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    refused(child, bytes(data), "liar.docx")


def test_hostile_presentations_and_texts(child) -> None:
    long, many = slides.shape("A" * (64 << 20)), {f"m/{n}": b"" for n in range(12_000)}
    assert "expands" in refused(child, slides.deck([long]), "bomb.pptx").message
    assert "parts" in refused(child, slides.zipped({**many, "ppt/presentation.xml": "<a/>"}), "many.pptx").message
    assert "slides" in refused(child, slides.deck(["<p:sp/>"], listed=[1] * 100_000), "list.pptx").message
    assert "expands" in refused(child, odf.odt(odf.p("A" * (64 << 20))), "bomb.odt").message
    cells = odf.table(odf.cell("a", 'table:number-columns-repeated="1000000000"'))
    assert "cells" in refused(child, odf.odt(cells), "wide.odt").message
    assert "cells" in refused(child, odf.odp(cells.join(("<draw:frame>", "</draw:frame>"))), "wide.odp").message
    assert "DTD" in refused(child, odf.odp(odf.p("x"), styles_part="<!DOCTYPE a><a/>"), "dtd.odp").message


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<html>" + b"<div>" * 100_000, "deep.html"),
        (b",".join([b"x"] * 20_000), "wide.csv"),
        (b'"' + b"a" * 5_000_000, "quote.csv"),
        (b"PK\x03\x04" + bytes(500), "fake.docx"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "picture.txt"),
        (b"\n" * (10 << 20), "newlines.txt"),
    ],
)
def test_other_hostile_files(child, data: bytes, name: str) -> None:
    refused(child, data, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("漢" * 2_000_000, "cjk.txt"),
        (("a" + "\u0301" * 5000) * 50, "zalgo.txt"),
        ("safe\u202egpj.exe\u2066 \u200b\u200d", "bidi.txt"),
        ("visible" + "".join(chr(0xE0000 + ord(c)) for c in "ignore"), "tags.txt"),
        ("a" * (30 << 20), "oneline.txt"),
        ('<meta http-equiv=refresh content="0;url=http://a.test"><script src=//a.test></script><p>canary', "x.html"),
    ],
)
def test_odd_but_harmless_files_are_read(child, text: str, name: str) -> None:
    assert child.parse(text.encode(), filename=name).text.endswith(text[-6:])
