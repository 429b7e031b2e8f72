"""Small writers for the files the parser tests read; nothing is stored or downloaded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from knowledge.parsing import ChildParser, ParseLimits
from knowledge.parsing.child import parse_here
from knowledge.types import BlockKind, ParsedDocument

Line = tuple[float, float, float, str]  # x, y, size, text; a text starting with "B:" is bold


def objects_to_pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (size, trailer, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


def stream_object(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n" % (len(data), entries) + data + b"\nendstream"


def _show(line: Line) -> bytes:
    x, y, size, text = line
    font = b"F2" if text.startswith("B:") else b"F1"
    shown = text.removeprefix("B:").replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return b"BT /%s %g Tf 1 0 0 1 %g %g Tm (%s) Tj ET\n" % (font, size, x, y, shown.encode("cp1252"))


def make_pdf(
    pages: Sequence[Sequence[Line]], *, page_entries: bytes = b"", trailer: bytes = b"", raw: bytes = b""
) -> bytes:
    """Pages of text lines in Helvetica; ``raw`` is appended to each content stream."""
    count = len(pages)
    kids = b" ".join(b"%d 0 R" % (5 + 2 * n) for n in range(count))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>",
    ]
    for n, lines in enumerate(pages):
        fonts = b"/Resources<</Font<</F1 3 0 R/F2 4 0 R>>>>"
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]%s/Contents %d 0 R%s>>"
        objects.append(page % (page_entries, 6 + 2 * n, fonts))
        objects.append(stream_object(b"".join(map(_show, lines)) + raw))
    return objects_to_pdf(objects, trailer)


def rezip(data: bytes, change: Mapping[str, Callable[[bytes], bytes]] | None = None, **add: bytes) -> bytes:
    """Rewrite members of a zip and add others."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, (change or {}).get(name, lambda body: body)(source.read(name)))
        for name, body in add.items():
            target.writestr(name, body)
    return out.getvalue()


def make_docx(build: Callable[[Any], object]) -> bytes:
    """Save what ``build`` puts into an empty python-docx document."""
    import docx

    document = docx.Document()
    build(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


@pytest.fixture(name="make_pdf")
def _make_pdf() -> Callable[..., bytes]:
    return make_pdf


@pytest.fixture(name="objects_to_pdf")
def _objects_to_pdf() -> Callable[..., bytes]:
    return objects_to_pdf


@pytest.fixture(name="make_docx")
def _make_docx() -> Callable[..., bytes]:
    return make_docx


@pytest.fixture(name="rezip")
def _rezip() -> Callable[..., bytes]:
    return rezip


@pytest.fixture
def parse() -> Callable[..., ParsedDocument]:
    """Parse in this process."""

    def run(data: bytes | str, filename: str, **limits: int) -> ParsedDocument:
        raw = data.encode() if isinstance(data, str) else data
        return parse_here(raw, filename=filename, limits=ParseLimits(**limits))

    return run


@pytest.fixture
def shown() -> Callable[[ParsedDocument], list[tuple[str, str]]]:
    """Blocks as (kind, text) pairs, for reading in assertions."""

    def run(document: ParsedDocument, kind: BlockKind | None = None) -> list[tuple[str, str]]:
        blocks = [b for b in document.blocks if kind is None or b.kind is kind]
        return [(b.kind.value, document.text[b.start : b.end]) for b in blocks]

    return run


@pytest.fixture(scope="session")
def child() -> Iterator[ChildParser]:
    with ChildParser() as parser:
        yield parser
