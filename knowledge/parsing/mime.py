"""The parts of a message, found in its bytes without copying or recursing.

The standard library reads the header of each part. Its parser of whole messages is not used: it recurses with
every part inside a part, asks each line for every border around it, and takes a mail of headers apart into objects
that need forty times the memory. Its modern policy also fails, or takes quadratic time, on headers that are broken.
"""

from __future__ import annotations

import binascii
import email.message
import email.parser
import email.policy
import re
from dataclasses import dataclass, field
from typing import Final

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.mail_header import eight_bit, header_text

__all__ = ["Part", "read_message"]

MAX_NESTING: Final = 50
_MAX_HEADER = 1024 * 1024
_MAX_FIELD = 4096  # bytes of a field that says how to read a part
_MAX_PARAMETERS = 100
_FIELD_LINE = re.compile(rb"[!-9;-~]++[ \t]*:")
_HEADER = re.compile(rb"(?:(?:[!-9;-~]++[ \t]*:|[ \t]++[^\s])[^\n]*+(?:\n|\Z))*+")
_READ = re.compile(
    rb"^(content-type|content-disposition|content-transfer-encoding|content-id|subject|from|to|cc|date)[ \t]*:"
    rb"[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+",
    re.IGNORECASE | re.MULTILINE,
)
_MBOX_LINE = re.compile(rb"\s*>?From [^\n:]*\n")
_NOT_BASE64 = bytes(sorted(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")))


@dataclass(slots=True, eq=False)
class Part:
    """One part: the fields of its header, where its body lies, and the parts inside it."""

    header: email.message.Message
    start: int
    end: int
    children: list[Part] = field(default_factory=list)

    @property
    def type(self) -> str:
        """Media type, lower case; text/plain when none or nonsense is stated."""
        return self.header.get_content_type()

    @property
    def disposition(self) -> str:
        return (self.header.get_content_disposition() or "").lower()

    @property
    def is_named(self) -> bool:
        """Whether the sender attached it as a file."""
        return self.disposition == "attachment" or bool(self.filename)

    @property
    def charset(self) -> str | None:
        return self._parameter("charset")

    @property
    def content_id(self) -> str:
        return header_text(self.header, "content-id").strip("<> ")

    @property
    def filename(self) -> str | None:
        """The name the sender gave, decoded; a label only."""
        try:
            stated = self.header.get_filename()
        except (ValueError, LookupError, TypeError, IndexError):  # broken continuations
            stated = None
        return header_text(stated) if stated else None

    def parameter(self, name: str) -> str:
        return (self._parameter(name) or "").lower()

    def _parameter(self, name: str) -> str | None:
        try:
            value = self.header.get_param(name)
        except (ValueError, LookupError, TypeError, IndexError):
            return None
        return str(value[2] if isinstance(value, tuple) else value).strip() if value else None

    def body(self, data: bytes) -> bytes:
        """Undo the transfer encoding; what is broken is read as far as it goes."""
        raw = data[self.start : self.end]
        encoding = header_text(self.header, "content-transfer-encoding").lower()
        if encoding == "base64":
            return _base64(raw)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(raw)
        return raw


def read_message(data: bytes, limits: ParseLimits) -> Part:
    """Find all parts of a message; the parts of messages attached to it are not looked for.

    :raises DocumentTooLarge: too many parts, nested too deep, or a header too long.
    """
    mbox = _MBOX_LINE.match(data[:1000])
    start = mbox.end() if mbox else len(data) - len(data.lstrip(b"\xef\xbb\xbf\r\n \t"))
    root = _part(data, start if _FIELD_LINE.match(data, start) else 0, len(data))
    found = 1
    open_parts = [(root, 0)]
    while open_parts:
        part, depth = open_parts.pop()
        if not part.type.startswith("multipart/"):
            continue
        if depth >= MAX_NESTING:
            raise DocumentTooLarge(f"The message nests its parts more than {MAX_NESTING} deep.")
        for begin, end in _borders(data, part):
            found += 1
            if found > limits.archive_parts:
                raise DocumentTooLarge(f"The message has more than {limits.archive_parts:,} parts.")
            child = _part(data, begin, end)
            if part.type == "multipart/digest" and "content-type" not in child.header:
                child.header["Content-Type"] = "message/rfc822"
            part.children.append(child)
            open_parts.append((child, depth + 1))
    return root


def _part(data: bytes, start: int, end: int) -> Part:
    """Split header and body; a first line that is no field belongs to the body."""
    match = _HEADER.match(data, start, end)
    stop = match.end() if match else start
    if stop - start > _MAX_HEADER:
        raise DocumentTooLarge("The message has a header of more than 1 MB.")
    header = _header(data[start:stop])
    for blank in (b"\r\n", b"\n", b"\r"):
        if data.startswith(blank, stop, end):
            stop += len(blank)
            break
    return Part(header, min(stop, end), end)


def _header(block: bytes) -> email.message.Message:
    """The first field of each name we read, short where it tells how to read the part."""
    first: dict[bytes, bytes] = {}
    for match in _READ.finditer(block):
        name = match.group(1).lower()
        field_bytes = match.group()[:_MAX_FIELD] if name.startswith(b"content-") else match.group()
        first.setdefault(name, field_bytes.rstrip(b"\r\n") + b"\n")
    header = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(b"".join(first.values()))
    for key, value in header.raw_items():
        if key.lower().startswith("content-"):
            many = value.count(";") > _MAX_PARAMETERS  # the library takes quadratic time
            header.replace_header(key, eight_bit(value.partition(";")[0] if many else value))
    return header


def _borders(data: bytes, part: Part) -> list[tuple[int, int]]:
    """The ranges between the border lines of a multipart; a missing last border ends at the end."""
    border = part._parameter("boundary")
    if not border:
        return []
    raw = border.encode("utf-8", "surrogateescape").rstrip()
    line = re.compile(rb"(?:(?<=\n)|(?<=\r)|\A)--" + re.escape(raw) + rb"(--)?[ \t]*(?:\r\n?|\n|\Z)")
    found: list[tuple[int, int]] = []
    begin: int | None = None
    for match in line.finditer(data, part.start, part.end):
        if begin is not None:
            found.append((begin, max(begin, _before_line_end(data, match.start()))))
        begin = None if match.group(1) else match.end()
        if begin is None:
            break
    if begin is not None:
        found.append((begin, part.end))
    return found


def _before_line_end(data: bytes, position: int) -> int:
    """The line end before a border belongs to the border."""
    if data[max(0, position - 2) : position] == b"\r\n":
        return position - 2
    return position - 1 if data[max(0, position - 1) : position] in (b"\n", b"\r") else position


def _base64(raw: bytes) -> bytes:
    """Decode the alphabet's characters and nothing else; a last group of one character is dropped."""
    digits = raw.translate(None, _NOT_BASE64)
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
