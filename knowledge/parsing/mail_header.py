"""Fields of a mail's header as people read them: encoded words, 8-bit text and line folds undone, broken or not."""

from __future__ import annotations

import binascii
import email.message
import re
from collections.abc import Iterator

from knowledge.parsing.decode import clean, decode, decode_as

__all__ = ["eight_bit", "header_text"]

_WORD = re.compile(r"=\?([^?\s=]{1,60})\?([bBqQ])\?([^?\n]*)\?=")


def header_text(message: email.message.Message | str, name: str = "") -> str:
    """The decoded text of the first field of that name, on one line; empty when there is none.

    A string is decoded as the value of a field.
    """
    value = message if isinstance(message, str) else _first(message, name)
    joined = "".join(_decoded(value))
    return " ".join(clean(joined).split())


def _first(message: email.message.Message, name: str) -> str:
    for key, value in message.raw_items():
        if key.lower() == name:
            return str(value)
    return ""


def _decoded(value: str) -> Iterator[str]:
    """Yield the pieces; neighbouring words of one charset are decoded together, as a character may be split."""
    position = 0
    waiting: list[bytes] = []
    charset = ""
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        position = match.end()
        if waiting and (between.strip() or match.group(1).lower() != charset):
            yield _text(b"".join(waiting), charset)
            waiting = []
        if between.strip() or (between and not charset):
            yield eight_bit(between)
        charset = match.group(1).lower()
        waiting.append(_bytes(match.group(2), match.group(3)))
    if waiting:
        yield _text(b"".join(waiting), charset)
    yield eight_bit(value[position:])


def _bytes(encoding: str, word: str) -> bytes:
    raw = word.encode("ascii", "surrogateescape") if word.isascii() else word.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _text(data: bytes, charset: str) -> str:
    text = decode_as(data, charset.partition("*")[0])  # after the star stands the language
    return decode(data) if text is None else text


def eight_bit(text: str) -> str:
    """Bytes that stand in a header undeclared are decoded as a file would be."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return decode(text.encode("utf-8", "surrogateescape"))
    return text
