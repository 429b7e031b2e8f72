"""The type of a file told by its bytes. Reads no archive and decodes nothing: safe outside the child process."""

from __future__ import annotations

import re
from typing import Final

from knowledge.parsing import formats
from knowledge.parsing.decode import utf16_without_mark

__all__ = ["binary_type", "foreign", "has_password", "looks_binary", "looks_like_html"]

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", formats.PNG),
    (b"\xff\xd8\xff", formats.JPEG),
    (b"II*\x00", formats.TIFF),
    (b"MM\x00*", formats.TIFF),
    (b"{\\rtf", formats.RTF),
)
_FOREIGN: Final = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"%!PS", "a PostScript document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS: Final = (
    ("__properties_version1.0", formats.MSG),  # first: a message may hold any of the others as attachment
    ("WordDocument", formats.DOC),
    ("PowerPoint Document", formats.PPT),
    ("Workbook", formats.XLS),
    ("Book", formats.XLS),
)
_ZIP_FOLDERS: Final = ((b"word/", formats.DOCX), (b"ppt/", formats.PPTX), (b"xl/", formats.XLSX))
_ZIP_TYPES: Final = {
    known.media_type.encode(): known.media_type
    for known in formats.FORMATS
    if known.media_type in (formats.ODT, formats.ODS, formats.ODP, formats.EPUB)
}
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_SAMPLE = 64 * 1024
_CONTROL = bytes(b for b in range(32) if b not in b"\0\t\n\r\f\x1b") + b"\x7f"


def binary_type(data: bytes, claimed: str | None) -> str | None:
    """Return the media type magic bytes tell; None for what may be text or is foreign to us."""
    if data.startswith(b"%PDF-") or (claimed == formats.PDF and b"%PDF-" in data[:1024]):
        return formats.PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(data, claimed)
    if data.startswith(_OLE):
        return next((kind for name, kind in _OLE_STREAMS if name.encode("utf-16-le") in data), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return formats.WEBP
    if data[:2] == b"BM" and data[6:10] == bytes(4) and looks_binary(data):
        return formats.BMP
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def _zip_type(data: bytes, claimed: str | None) -> str | None:
    """The type told by the first member or by member names in the archive's directory."""
    if data[30:38] == b"mimetype":
        end = 38 + int.from_bytes(data[18:22], "little")
        if kind := _ZIP_TYPES.get(data[38 : min(end, 138)].strip()):
            return kind
    end = data.rfind(b"PK\x05\x06")
    offset = int.from_bytes(data[end + 16 : end + 20], "little") if end >= 0 else 0
    directory = data[offset:] if 0 < offset < len(data) else data
    if b"META-INF/container.xml" in directory:
        return formats.EPUB
    if kind := next((kind for name, kind in _ZIP_FOLDERS if name in directory), None):
        return kind
    if b"content.xml" in directory and b"META-INF/manifest.xml" in directory:
        known = (formats.ODT, formats.ODS, formats.ODP)  # without its type; the reader looks closer
        return claimed if claimed in known else formats.ODT
    return None


def has_password(data: bytes) -> bool:
    """Whether this is an Office file inside an encrypted package."""
    return data.startswith(_OLE) and "EncryptedPackage".encode("utf-16-le") in data


def foreign(data: bytes) -> str | None:
    """Name a kind of file that no document is, with its article; None when it is none we know."""
    if data.startswith(_OLE):
        return "an old binary Office file of an unknown kind"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "a ZIP archive. Upload the files in it one by one"
    for magic, name in _FOREIGN:
        if data.startswith(magic) and (len(magic) > 3 or looks_binary(data)):
            return name
    return None


def looks_like_html(data: bytes) -> bool:
    return bool(_HTML_START.match(data[:_SAMPLE].removeprefix(b"\xef\xbb\xbf")))


def looks_binary(data: bytes) -> bool:
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
