"""Which parser reads a file: its content decides, the file name only between kinds of text."""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePosixPath
from typing import Final

from knowledge.errors import DocumentEmpty, DocumentEncrypted, UnsupportedFormat
from knowledge.parsing import sniff
from knowledge.parsing.base import Parser
from knowledge.parsing.formats import (
    BY_EXTENSION,
    BY_MEDIA_TYPE,
    DOC,
    FORMATS,
    HTML,
    PPT,
    TEXT,
    VTT,
    Format,
    supported,
)

__all__ = ["detect", "extensions", "media_types", "parser_for"]

_IS_TEXT: Final = frozenset(
    known.media_type
    for known in FORMATS
    if known.media_type.startswith("text/")
    or known.name in ("JSON", "JSON Lines", "notebooks", "SRT", "EML")
)  # fmt: skip
_SAVE_AS: Final = {DOC: "Save it as DOCX or PDF.", PPT: "Save it as PPTX or PDF."}


def detect(data: bytes, filename: str) -> str:
    """Tell the media type of a file. Cheap, and safe to call outside the child process.

    :raises DocumentEmpty: there are no bytes.
    :raises DocumentEncrypted: an Office file with a password.
    :raises UnsupportedFormat: no parser reads it, or its name claims another type than it has.
    """
    if not data:
        raise DocumentEmpty
    if sniff.has_password(data):
        raise DocumentEncrypted
    extension = PurePosixPath(filename.replace("\\", "/").strip()).suffix.lower()
    claimed = BY_EXTENSION.get(extension)
    found = sniff.binary_type(data, claimed.media_type if claimed else None)
    if found is None:
        return _text_type(data, extension, claimed).media_type
    known = _readable(BY_MEDIA_TYPE[found])
    if claimed not in (None, known):
        raise _mismatch(extension, known)
    return known.media_type


def _text_type(data: bytes, extension: str, claimed: Format | None) -> Format:
    if name := sniff.foreign(data):
        raise UnsupportedFormat(f"This is {name}. {supported()}")
    if sniff.looks_binary(data):
        kind = f"is named {extension} but holds" if extension else "holds"
        raise UnsupportedFormat(f"The file {kind} binary data of an unknown kind. {supported()}")
    actual = BY_MEDIA_TYPE[HTML if sniff.looks_like_html(data) else TEXT]
    if extension == ".svg":
        raise UnsupportedFormat(f"This is an SVG picture. {supported()}")
    if claimed is None and data.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
        actual = BY_MEDIA_TYPE[VTT]
    if claimed is not None and claimed.media_type not in _IS_TEXT:
        raise _mismatch(extension, actual)
    return _readable(claimed or actual)


def _readable(known: Format) -> Format:
    if not known.parser:
        advice = _SAVE_AS.get(known.media_type)
        raise UnsupportedFormat(f"This is {known.label}. {advice or supported()}")
    return known


def _mismatch(extension: str, actual: Format) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"The file is named {extension} but is really {actual.label}. Rename it and upload it again."
    )


def parser_for(media_type: str) -> Parser:
    """Load and make the parser of a media type.

    :raises UnsupportedFormat: there is none.
    """
    known = BY_MEDIA_TYPE.get(media_type)
    if known is None or not known.parser:
        raise UnsupportedFormat(f"There is no reader for {media_type}. {supported()}")
    module, _, name = known.parser.rpartition(".")
    parser: Parser = getattr(import_module(f"knowledge.parsing.{module}"), name)()
    return parser


def media_types() -> tuple[str, ...]:
    """Every media type a parser reads."""
    return tuple(known.media_type for known in FORMATS if known.parser)


def extensions() -> tuple[str, ...]:
    """Every file name extension a parser reads, lower case, with the dot."""
    return tuple(extension for known in FORMATS if known.parser for extension in known.extensions)
