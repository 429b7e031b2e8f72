"""Which part of a Markdown block is its text, without the marks that made it a block."""

from __future__ import annotations

import re

from knowledge.types import BlockKind

_ATX = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+")
_ATX_END = re.compile(r"[ \t]+#+[ \t]*$")
_SETEXT = re.compile(r"\n[ \t]{0,3}(?:=+|-+)[ \t]*$")
_BULLET = re.compile(r"[ \t]*[-*+][ \t]+")
_QUOTE = re.compile(r"[ \t]{0,3}>[ \t]?")
_FENCE = re.compile(r"[ \t]{0,3}(?P<mark>`{3,}|~{3,})[^\n]*\n")
_FENCE_END = re.compile(r"\n[ \t]{0,3}(?:`{3,}|~{3,})[ \t]*$")


def tidy(text: str, block: tuple[int, int], kind: BlockKind) -> tuple[int, int]:
    """Return the range of the block's words: a heading without ``#``, a list item without its bullet."""
    start, end = block
    if kind in (BlockKind.HEADING, BlockKind.TITLE):
        start, end = _heading(text, start, end)
    elif kind is BlockKind.LIST_ITEM:
        start = _after(_BULLET, text, start, end)
    elif kind is BlockKind.PARAGRAPH:
        start = _after(_QUOTE, text, start, end)
    elif kind is BlockKind.CODE:
        start, end = _code(text, start, end)
    return (start, end) if start < end else block


def _heading(text: str, start: int, end: int) -> tuple[int, int]:
    inner = _after(_ATX, text, start, end)
    closing = (_SETEXT if inner == start else _ATX_END).search(text[inner:end])
    return inner, inner + closing.start() if closing else end


def _code(text: str, start: int, end: int) -> tuple[int, int]:
    inner = _after(_FENCE, text, start, end)
    closing = _FENCE_END.search(text[inner:end]) if inner > start else None
    return inner, inner + closing.start() if closing else end


def _after(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    match = pattern.match(text, start, end)
    return match.end() if match else start
