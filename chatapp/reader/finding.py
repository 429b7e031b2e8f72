"""Find words in a text, whatever their case and accents, and say where they stand in it.

The words are never a pattern. Offsets count the code points of the text as it is, though folding makes some characters
longer ("ß"), shorter or nothing (a soft hyphen).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chatapp.markup.inline import Range

LONGEST_QUERY = 200
COUNTED = 10_000
LISTED = 100
EXCERPT = 60  # characters on each side

Ends: TypeAlias = npt.NDArray[np.int64]

_NO_ENDS: Ends = np.zeros(0, np.int64)
_SPACES = re.compile(" {2,}")
_SAME = {
    **dict.fromkeys("‘’‚‛′´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
    "ø": "o",
    "Ø": "o",
    "ł": "l",
    "Ł": "l",
    "đ": "d",
    "Đ": "d",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    before: str
    match: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The places of the words, in order; at most ``LISTED`` of them are given."""

    ranges: tuple[Range, ...]
    count: int
    more: bool  # there are over COUNTED, which were not counted


def find(text: str, words: str) -> Found:
    """Return where the words stand one behind the other, with any white space between them. Linear in the text."""
    asked = fold(words[:LONGEST_QUERY])[0].strip()
    places: list[Range] = []
    count = 0
    folded, ends = fold(text) if asked else ("", _NO_ENDS)
    at = folded.find(asked) if asked else -1
    while at >= 0 and count <= COUNTED:
        count += 1
        if len(places) < LISTED:
            places.append(_place(text, ends, at, at + len(asked)))
        at = folded.find(asked, at + len(asked))
    return Found(ranges=tuple(places), count=min(count, COUNTED), more=count > COUNTED)


def _place(text: str, ends: Ends, start: int, end: int) -> Range:
    """Lead a range of the folded text back to the text, accents behind its last letter included."""
    first, last = np.searchsorted(ends, [start, end - 1], side="right").tolist()
    while last + 1 < len(text) and unicodedata.combining(text[last + 1]):
        last += 1
    return first, last + 1


def fold(text: str) -> tuple[str, Ends]:
    """Return the text without case, accents and doubled spaces, and where each of its characters ends in that.

    ``ends[i]`` is the offset in the folded text behind what character ``i`` became, which may be nothing.
    """
    if not text:
        return "", _NO_ENDS
    table = {ord(character): _folded(character) for character in set(text)}
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.zeros(max(table) + 1, np.int8)
    spaces = np.zeros(max(table) + 1, np.bool_)
    for code, folded in table.items():
        lengths[code] = len(folded)
        spaces[code] = folded == " "
    each = lengths[codes]
    kept = np.flatnonzero(each)
    space = spaces[codes[kept]]
    each[kept[1:][space[1:] & space[:-1]]] = 0
    return _SPACES.sub(" ", text.translate(table)), np.cumsum(each, dtype=np.int64)


def _folded(character: str) -> str:
    same = _SAME.get(character)
    if same is not None:
        return same
    if character.isspace():
        return " "
    apart = unicodedata.normalize("NFKD", character).casefold()
    letters = "".join(c for c in apart if not unicodedata.combining(c))
    return letters.strip() or letters[:1]  # no space at an end, which could meet another one


def excerpt(text: str, place: Range) -> Excerpt:
    """Return the words with some of the text around them, cut at spaces, on one line."""
    start, end = place
    low, high = max(0, start - EXCERPT), min(len(text), end + EXCERPT)
    before, after = " ".join(text[low:start].split()), " ".join(text[end:high].split())
    if low and " " in before:
        before = "… " + before.split(" ", 1)[1]
    if high < len(text) and " " in after:
        after = after.rsplit(" ", 1)[0] + " …"
    if text[start - 1 : start].isspace():
        before += " "
    if text[end : end + 1].isspace():
        after = " " + after
    return Excerpt(before=before, match=" ".join(text[start:end].split()), after=after)
