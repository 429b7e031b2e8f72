"""Bytes to text: byte order marks, UTF-8, then the likeliest older encoding."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark starts with the UTF-16 one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEVEN_BIT = ("iso-2022", "iso2022", "hz", "utf-7", "utf7")  # written in bytes that are ASCII too
_NO_CHARSET = ("punycode", "idna", "unicode", "raw", "undefined")  # codecs of Python that no file is written in
_SAMPLE = 64 * 1024
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NON_LATIN = re.compile("[\u0250-\u1dff\u2e80-\ud7ff\uf900-\ufaff]")
_OLDER = ["cp1252", "cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp949", "cp1250", "cp1251", "koi8_r", "cp1253",
          "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "mac_roman"]  # fmt: skip


def decode(data: bytes, *, declared: str | None = None) -> str:
    """Decode a text file; line ends become LF, the byte order mark, NUL and lone surrogates go."""
    return clean(_decode(data, declared))


def clean(text: str) -> str:
    """Make line ends LF; NUL and lone surrogates go."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("", text)


def _decode(data: bytes, declared: str | None) -> str:
    for mark, marked in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(marked, errors="replace")
    if declared and declared.lower().startswith(_SEVEN_BIT) and data.isascii():
        text = decode_as(data, declared)
        if text is not None:
            return text
    if wide := utf16_without_mark(data):
        return data.decode(wide, errors="replace")
    try:
        return data.decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError:
        pass
    for encoding in (declared, guess(data)):
        text = decode_as(data, encoding) if encoding else None
        if text is not None:
            return text
    return data.decode("cp1252", errors="replace")


def decode_as(data: bytes, charset: str) -> str | None:
    """Decode by the name of a charset a file states; None when it is unknown, unfit or wrong."""
    if charset.lower().startswith(_NO_CHARSET):
        return None
    try:
        return data.decode(charset)
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return None


def utf16_without_mark(data: bytes) -> str | None:
    """Name the byte order of UTF-16 written without a mark, told by where its NUL bytes stand."""
    sample = data[:_SAMPLE]
    half = len(sample) // 2
    if half < 4 or len(data) % 2:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def guess(data: bytes) -> str | None:
    """Guess the encoding of bytes that are not UTF-8.

    Western text is preferred unless the statistics speak for a script Windows-1252 cannot write:
    short Western samples are often taken for an exotic code page.
    """
    from charset_normalizer import from_bytes

    best = from_bytes(_sample(data), cp_isolation=_OLDER, preemptive_behaviour=False).best()
    if best is None:
        return None
    text = str(best)
    letters = sum(c.isalpha() for c in text)
    if letters and len(_NON_LATIN.findall(text)) > 0.3 * letters:
        return best.encoding
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return best.encoding
    return "cp1252"


def _sample(data: bytes) -> bytes:
    """The part of the data that tells most: from the first byte that is not ASCII."""
    first = next((i for i, byte in enumerate(data) if byte > 0x7F), 0) if len(data) > _SAMPLE else 0
    start = data.rfind(b"\n", 0, first) + 1
    return data[start if first - start < 4096 else first :][:_SAMPLE]
