"""Files in office formats, written by the tests themselves."""

from __future__ import annotations

import io


def pdf_of(pages: list[list[str]]) -> bytes:
    """Write a PDF with one Helvetica line below the other on every page; ASCII without brackets."""
    streams = ["".join(f"({line}) Tj 0 -18 Td " for line in lines) for lines in pages]
    return _pdf([f"BT /F1 12 Tf 72 740 Td {drawn}ET" for drawn in streams], entries="/MediaBox [0 0 595 842]")


def pdf_of_lines(pages: list[list[tuple[float, float, str]]], *, entries: str = "/MediaBox [0 0 612 792]") -> bytes:
    """Write a PDF with Helvetica lines of 10 points at ``(x, y)`` of user space; ``entries`` are those of each page."""
    streams = ["".join(f"BT /F1 10 Tf {x} {y} Td ({line}) Tj ET\n" for x, y, line in lines) for lines in pages]
    return _pdf(streams, entries=entries)


def _pdf(streams: list[str], *, entries: str) -> bytes:
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for stream in (drawn.encode("ascii") for drawn in streams):
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        content = len(objects)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R %s /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
            % (entries.encode("ascii"), content)
        )
        kids.append(len(objects))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in kids)}] /Count {len(kids)} >>".encode()
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def docx_of(heading: str, paragraphs: list[str]) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading(heading, level=1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()
