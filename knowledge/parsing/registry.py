"""Which parser reads a file: its content decides, the file name only between kinds of text."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import PurePosixPath
from typing import Final

from knowledge.errors import DocumentEmpty, DocumentEncrypted, UnsupportedFormat
from knowledge.parsing.base import Parser
from knowledge.parsing.decode import utf16_without_mark

TEXT = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
CSV = "text/csv"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_PARSERS: Final = {
    TEXT: "knowledge.parsing.text.TextParser",
    MARKDOWN: "knowledge.parsing.markdown.MarkdownParser",
    HTML: "knowledge.parsing.html.HtmlParser",
    CSV: "knowledge.parsing.csv.CsvParser",
    PDF: "knowledge.parsing.pdf.PdfParser",
    DOCX: "knowledge.parsing.docx.DocxParser",
}
_EXTENSIONS: Final = {
    ".txt": TEXT, ".text": TEXT, ".log": TEXT,
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".mdown": MARKDOWN, ".mkd": MARKDOWN,
    ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".csv": CSV, ".tsv": CSV,
    ".pdf": PDF,
    ".docx": DOCX, ".docm": DOCX, ".dotx": DOCX,
}  # fmt: skip
_NAMES: Final = {
    TEXT: "plain text",
    MARKDOWN: "Markdown",
    HTML: "an HTML page",
    CSV: "a CSV table",
    PDF: "a PDF document",
    DOCX: "a Word document (DOCX)",
}
_MAGIC: Final = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"{\\rtf", "a Rich Text document (RTF)"),
    (b"%!PS", "a PostScript document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"WEBVTT", "a caption file (WebVTT)"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHER_EXTENSIONS: Final = {
    ".eml": "an e-mail message", ".ipynb": "a notebook", ".json": "JSON data",
    ".xml": "XML data", ".svg": "an SVG picture",
    ".rtf": "a Rich Text document (RTF)", ".vtt": "a caption file (WebVTT)",
}  # fmt: skip
_ZIP_NAMES: Final = (
    (b"ppt/", "a presentation (PPTX)"),
    (b"xl/", "a spreadsheet (XLSX)"),
    (b"META-INF/container.xml", "an e-book (EPUB)"),
    (b"META-INF/manifest.xml", "an OpenDocument file"),
)
_SUPPORTED = "Supported are PDF, DOCX, HTML, Markdown, CSV and plain text."
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_SAMPLE = 64 * 1024
_CONTROL = bytes(b for b in range(32) if b not in b"\0\t\n\r\f\x1b") + b"\x7f"


def detect(data: bytes, filename: str) -> str:
    """Tell the media type of a file. Cheap, and safe to call outside the child process.

    :raises DocumentEmpty: there are no bytes.
    :raises DocumentEncrypted: an Office file with a password.
    :raises UnsupportedFormat: no parser reads it, or its name claims another type than it has.
    """
    if not data:
        raise DocumentEmpty
    extension = PurePosixPath(filename.replace("\\", "/").strip()).suffix.lower()
    claimed = _EXTENSIONS.get(extension)
    found = _binary_type(data, claimed)
    if found is not None:
        if claimed not in (None, found):
            raise _mismatch(extension, _NAMES[found])
        return found
    return _text_type(data, extension, claimed)


def _binary_type(data: bytes, claimed: str | None) -> str | None:
    """The type told by magic bytes, or None for what may be text."""
    if data.startswith(b"%PDF-") or (claimed == PDF and b"%PDF-" in data[:1024]):
        return PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(data)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise DocumentEncrypted
        raise UnsupportedFormat(
            f"This is an old binary Office file (DOC, XLS or PPT). Save it as DOCX or PDF. {_SUPPORTED}"
        )
    for magic, name in _MAGIC:
        if data.startswith(magic) and (len(magic) > 3 or _looks_binary(data)):
            raise UnsupportedFormat(f"This is {name}. {_SUPPORTED}")
    return None


def _zip_type(data: bytes) -> str:
    """The type told by member names, read from the archive's directory without opening it."""
    end = data.rfind(b"PK\x05\x06")
    offset = int.from_bytes(data[end + 16 : end + 20], "little") if end >= 0 else 0
    directory = data[offset:] if 0 < offset < len(data) else data
    if b"word/" in directory:
        return DOCX
    for name, description in _ZIP_NAMES:
        if name in directory:
            raise UnsupportedFormat(f"This is {description}. {_SUPPORTED}")
    raise UnsupportedFormat(f"This is a ZIP archive. Upload the files in it one by one. {_SUPPORTED}")


def _text_type(data: bytes, extension: str, claimed: str | None) -> str:
    if _looks_binary(data):
        kind = f"is named {extension} but holds" if extension else "holds"
        raise UnsupportedFormat(f"The file {kind} binary data of an unknown kind. {_SUPPORTED}")
    if extension in _OTHER_EXTENSIONS:
        raise UnsupportedFormat(f"This is {_OTHER_EXTENSIONS[extension]}. {_SUPPORTED}")
    is_html = bool(_HTML_START.match(data[:_SAMPLE].removeprefix(b"\xef\xbb\xbf")))
    if claimed in (PDF, DOCX):
        raise _mismatch(extension, _NAMES[HTML if is_html else TEXT])
    return claimed or (HTML if is_html else TEXT)


def _mismatch(extension: str, actual: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"The file is named {extension} but is really {actual}. Rename it and upload it again.")


def _looks_binary(data: bytes) -> bool:
    """Control characters no text has, in more than a stray number."""
    sample = data[:_SAMPLE]
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16_without_mark(data):
        return False
    control = len(sample) - len(sample.translate(None, _CONTROL))
    nul = sample.count(0)
    try:
        sample[: len(sample) - 4 if len(data) > _SAMPLE else None].decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError as err:
        if len(data) <= _SAMPLE or err.start < _SAMPLE - 16:
            return len(sample) >= 64 and control + nul > 0.02 * len(sample)
    return control + nul > 0.1 * len(sample) and len(sample) >= 16


def parser_for(media_type: str) -> Parser:
    """Load and make the parser of a media type.

    :raises UnsupportedFormat: there is none.
    """
    path = _PARSERS.get(media_type)
    if path is None:
        raise UnsupportedFormat(f"There is no reader for {media_type}. {_SUPPORTED}")
    module, _, name = path.rpartition(".")
    parser: Parser = getattr(import_module(module), name)()
    return parser


def media_types() -> tuple[str, ...]:
    """Every media type a parser reads."""
    return tuple(_PARSERS)


def extensions() -> tuple[str, ...]:
    """Every file name extension a parser reads, lower case, with the dot."""
    return tuple(_EXTENSIONS)
