"""Where a range of text may be cut: after sentences, else at white space, else between graphemes."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from math import ceil

_SENTENCE = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s+[^\sa-z])|[。！？｡]+[」』”’）]*|\n(?=\s*\S)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|No|Nos|Fig|Eq|Sec|Art|cf|e\.g|i\.e|al|Inc|Ltd|Co|Nr|Abs|bzw|z\.B))\.$"
)
_ZERO_WIDTH_JOINER = "\u200d"
_SPACES = " \n\t\u3000\xa0"
_LOOK_BACK = 64  # characters a cut moves back in search of a grapheme border


def sentence_ends(text: str, start: int, end: int) -> list[int]:
    """Offsets within ``(start, end)`` after which a new sentence or line begins, ascending."""
    return [
        match.end()
        for match in _SENTENCE.finditer(text, start, end)
        if match.end() < end and not _ABBREVIATION.search(text, max(start, match.end() - 8), match.end())
    ]


def even_parts(text: str, start: int, end: int, *, target: int, limit: int) -> list[tuple[int, int]]:
    """Cut a range into about even parts of at most ``limit`` characters, stripped, in linear time."""
    ends = sentence_ends(text, start, end)
    parts: list[tuple[int, int]] = []
    position = start
    while end - position > limit or (end - position > target and not parts):
        count = max(2, ceil((end - position) / target))
        ideal = position + (end - position) // count
        cut = _best_cut(text, ends, position, ideal, min(position + limit, end - 1))
        parts.append((position, cut))
        position = cut
    parts.append((position, end))
    return [part for first, last in parts if (part := strip(text, first, last))]


def strip(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The range without outer white space, or None when nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _best_cut(text: str, ends: list[int], position: int, ideal: int, highest: int) -> int:
    """The cut nearest to the ideal one, in ``(position, highest]``."""
    lowest = position + (ideal - position) // 2
    near = ends[bisect_left(ends, lowest) : bisect_right(ends, highest)]
    if near:
        return min(near, key=lambda offset: abs(offset - ideal))
    space = _nearest_space(text, lowest, min(ideal, highest), highest)
    return space if space is not None else grapheme_border(text, min(ideal, highest), position + 1)


def _nearest_space(text: str, lowest: int, ideal: int, highest: int) -> int | None:
    """An offset beside the nearest white space before, else after the ideal cut."""
    before = max(text.rfind(space, lowest, ideal) for space in _SPACES)
    if before > lowest:
        return before + 1
    after = [offset for space in _SPACES if (offset := text.find(space, ideal, highest)) > ideal]
    return min(after, default=None)


def grapheme_border(text: str, offset: int, lowest: int) -> int:
    """Move a cut back until it parts no grapheme; not below ``lowest``, and not endlessly."""
    for candidate in range(offset, max(lowest, offset - _LOOK_BACK) - 1, -1):
        if not _joins(text, candidate):
            return candidate
    return max(offset, lowest)


def _joins(text: str, offset: int) -> bool:
    """Whether the characters on both sides of an offset make one grapheme."""
    if not 0 < offset < len(text):
        return False
    before, after = text[offset - 1], text[offset]
    if after == _ZERO_WIDTH_JOINER or before == _ZERO_WIDTH_JOINER or before + after == "\r\n":
        return True
    if unicodedata.category(after) in ("Mn", "Mc", "Me") or 0x1F3FB <= ord(after) <= 0x1F3FF:
        return True
    if 0x1F1E6 <= ord(after) <= 0x1F1FF and 0x1F1E6 <= ord(before) <= 0x1F1FF:
        return _flags_before(text, offset) % 2 == 1
    return 0x1160 <= ord(after) <= 0x11FF  # Hangul vowels and finals follow their syllable


def _flags_before(text: str, offset: int) -> int:
    """How many regional indicators stand directly before an offset; two make a flag."""
    count = 0
    while count < _LOOK_BACK and offset > count and 0x1F1E6 <= ord(text[offset - 1 - count]) <= 0x1F1FF:
        count += 1
    return count
