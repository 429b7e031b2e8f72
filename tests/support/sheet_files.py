"""Spreadsheets written by the tests themselves: XLSX and ODS from XML, XLS from its binary records."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def zip_of(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, body in parts.items():
            target.writestr(name, body, zipfile.ZIP_STORED if name == "mimetype" else None)
    return out.getvalue()


def column_name(column: int) -> str:
    name = ""
    while column:
        column, digit = divmod(column - 1, 26)
        name = chr(65 + digit) + name
    return name


def cell(reference: str, value: object, style: int = 0) -> str:
    """One XLSX cell: text inline, truth values, numbers; a text that starts with "<" is taken as the cell's content."""
    place = f'r="{reference}" s="{style}"'
    if isinstance(value, bool):
        return f'<c {place} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (int, float)):
        return f"<c {place}><v>{value!r}</v></c>"
    text = str(value)
    if text.startswith("<"):
        return f"<c {place}>{text}</c>"
    return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def grid(rows: Sequence[Sequence[object]], *, first_row: int = 1, first_column: int = 1, bold: int = 0) -> str:
    """Row elements; None leaves a cell out. The first ``bold`` rows have style 1."""
    made = []
    for at, values in enumerate(rows):
        number = first_row + at
        cells = [
            cell(f"{column_name(first_column + column)}{number}", value, style=int(at < bold))
            for column, value in enumerate(values)
            if value is not None
        ]
        made.append(f'<row r="{number}">{"".join(cells)}</row>')
    return "".join(made)


def styles_xml(codes: Sequence[str]) -> str:
    """Style 0 is plain, 1 is bold, 2 and on show numbers by ``codes``."""
    formats = "".join(f"<numFmt numFmtId='{164 + n}' formatCode={quoteattr(code)}/>" for n, code in enumerate(codes))
    xfs = "".join(f'<xf numFmtId="{164 + n}" fontId="0"/>' for n in range(len(codes)))
    return (
        f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts><fonts><font/><font><b/></font></fonts>'
        f'<cellXfs><xf numFmtId="0" fontId="0"/><xf numFmtId="0" fontId="1"/>{xfs}</cellXfs></styleSheet>'
    )


def relations_xml(entries: Sequence[tuple[str, str]]) -> str:
    """A relations part; ``entries`` are (kind, target), their ids r1, r2, ..."""
    each = "".join(
        f'<Relationship Id="r{n}" Type="{RELATIONS}/{kind}" Target={quoteattr(target)}/>'
        for n, (kind, target) in enumerate(entries, start=1)
    )
    return f'{HEAD}<Relationships xmlns="{PACKAGE}">{each}</Relationships>'


def xlsx_of(
    sheets: Mapping[str, str],
    *,
    states: Mapping[str, str] | None = None,
    codes: Sequence[str] = (),
    shared: str = "",
    date1904: bool = False,
    title: str = "",
    parts: Mapping[str, str | bytes] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> bytes:
    """A workbook. A sheet is given as its rows, or as everything within ``worksheet`` when it holds sheetData."""
    listed, entries, bodies = [], [], {}
    for number, (name, body) in enumerate(sheets.items(), start=1):
        state = (states or {}).get(name, "visible")
        listed.append(f'<sheet name={quoteattr(name)} sheetId="{number}" state="{state}" r:id="r{number}"/>')
        entries.append(((kinds or {}).get(name, "worksheet"), f"worksheets/sheet{number}.xml"))
        content = body if "<sheetData" in body else f"<sheetData>{body}</sheetData>"
        bodies[f"xl/worksheets/sheet{number}.xml"] = f'{HEAD}<worksheet xmlns="{MAIN}">{content}</worksheet>'
    entries.append(("styles", "styles.xml"))
    made: dict[str, str | bytes] = {
        "_rels/.rels": relations_xml([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
        f'<workbookPr date1904="{int(date1904)}"/><sheets>{"".join(listed)}</sheets></workbook>',
        "xl/styles.xml": styles_xml(codes),
    }
    if shared:
        entries.append(("sharedStrings", "/xl/sharedStrings.xml"))
        made["xl/sharedStrings.xml"] = f'{HEAD}<sst xmlns="{MAIN}">{shared}</sst>'
    if title:
        made["docProps/core.xml"] = (
            f'{HEAD}<c:p xmlns:c="x" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title></c:p>'
        )
    made["xl/_rels/workbook.xml.rels"] = relations_xml(entries)
    return zip_of({**made, **bodies, **(parts or {})})


ODF = "urn:oasis:names:tc:opendocument:xmlns:"
NAMESPACES = (
    f'xmlns:office="{ODF}office:1.0" xmlns:table="{ODF}table:1.0" xmlns:text="{ODF}text:1.0" xmlns:style="{ODF}style:1.0" '
    f'xmlns:fo="{ODF}xsl-fo-compatible:1.0" xmlns:draw="{ODF}drawing:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
ODS_STYLES = (
    '<style:style style:name="bold"><style:text-properties fo:font-weight="bold"/></style:style>'
    '<style:style style:name="gone"><style:table-properties table:display="false"/></style:style>'
)


def ods_cell(value: object, attributes: str = "") -> str:
    kind = "float" if isinstance(value, (int, float)) else "string"
    return f'<table:table-cell office:value-type="{kind}" {attributes}><text:p>{escape(str(value))}</text:p></table:table-cell>'


def ods_rows(rows: Sequence[Sequence[object]]) -> str:
    """Row elements; None is an empty cell."""
    return "".join(
        f"<table:table-row>{''.join('<table:table-cell/>' if v is None else ods_cell(v) for v in row)}</table:table-row>"
        for row in rows
    )


def ods_of(
    sheets: Mapping[str, str], *, title: str = "", manifest: str = "", styles: Mapping[str, str] | None = None
) -> bytes:
    """A spreadsheet; a sheet is given as the content of its table element."""
    tables = "".join(
        f'<table:table table:name={quoteattr(name)} table:style-name="{(styles or {}).get(name, "")}">{body}</table:table>'
        for name, body in sheets.items()
    )
    content = (
        f"{HEAD}<office:document-content {NAMESPACES}><office:automatic-styles>{ODS_STYLES}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    meta = f"{HEAD}<office:document-meta {NAMESPACES}><office:meta><dc:title>{escape(title)}</dc:title></office:meta></office:document-meta>"
    entries = f'{HEAD}<m:manifest xmlns:m="{ODF}manifest:1.0">{manifest}</m:manifest>'
    return zip_of(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": content,
            "meta.xml": meta,
            "META-INF/manifest.xml": entries,
        }
    )


def record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def xls_cell(row: int, column: int, value: object) -> bytes:
    """A cell record, positions from 0: a text, a truth value, an error code as bytes, or a number (style 1: a date)."""
    place = struct.pack("<HHH", row, column, 0)
    if isinstance(value, tuple):  # ("date", serial)
        return record(0x0203, struct.pack("<HHHd", row, column, 1, value[1]))
    if isinstance(value, (bool, bytes)):
        return record(0x0205, place + (bytes((value, 0)) if isinstance(value, bool) else value + b"\1"))
    if isinstance(value, (int, float)):
        return record(0x0203, place + struct.pack("<d", value))
    text = str(value).encode("utf-16-le")
    return record(0x0204, place + struct.pack("<HB", len(text) // 2, 1) + text)


def xls_of(
    sheets: Mapping[str, bytes],
    *,
    hidden: Sequence[str] = (),
    before: bytes = b"",
    kinds: Mapping[str, int] | None = None,
) -> bytes:
    """A workbook in BIFF 8 inside a compound file; a sheet is given as its records."""
    beginning = record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 0)) + before
    beginning += record(0x0042, struct.pack("<H", 1200))
    beginning += b"".join(record(0x00E0, struct.pack("<HH16x", 0, number)) for number in (0, 14))
    names = {name: name.encode("utf-16-le") for name in sheets}
    size = len(beginning) + sum(4 + 8 + len(encoded) for encoded in names.values()) + 4
    directory, bodies = b"", b""
    for name, cells in sheets.items():
        entry = struct.pack(
            "<IBBBB", size + len(bodies), name in hidden, (kinds or {}).get(name, 0), len(names[name]) // 2, 1
        )
        directory += record(0x0085, entry + names[name])
        bodies += record(0x0809, struct.pack("<HHHHII", 0x0600, 0x10, 0, 0, 0, 0)) + cells + record(0x000A)
    stream = beginning + directory + record(0x000A) + bodies
    return compound_of(stream + bytes(max(0, 4096 - len(stream))))


def compound_of(stream: bytes, name: str = "Workbook") -> bytes:
    """A compound file (version 3) with one stream of at least 4,096 bytes."""
    sectors = -(-len(stream) // 512)
    tables = 1
    while tables * 128 < sectors + tables + 1:
        tables += 1
    table = [0xFFFFFFFD] * tables + [0xFFFFFFFE]
    table += [tables + 1 + n + 1 for n in range(sectors - 1)] + [0xFFFFFFFE]
    table += [0xFFFFFFFF] * (tables * 128 - len(table))

    def entry(label: str, kind: int, child: int, start: int, size: int) -> bytes:
        encoded = label.encode("utf-16-le") + b"\0\0"
        links = struct.pack("<HBBIII", len(encoded), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
        return encoded.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry(name, 2, 0xFFFFFFFF, tables + 1, len(stream))
    assert tables <= 109
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6xII", 0x3E, 3, 0xFFFE, 9, 6, 0, tables)
    )
    header += struct.pack("<IIIIIII", tables, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", *range(tables), *[0xFFFFFFFF] * (109 - tables))
    body = struct.pack(f"<{len(table)}I", *table) + directory.ljust(512, b"\0") + stream.ljust(sectors * 512, b"\0")
    return header + body
