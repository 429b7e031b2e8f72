"""Passages that say the same again, and passages that say nearly the same but differ in what matters.

Two passages are alike when most runs of five words of the shorter one stand in the other too (Broder 1997, On the
resemblance and containment of documents). Of those that are alike, one is a copy of the other unless their words
differ in something that people would not call the same: a number, a date, a unit, a negation, a name, or one word of
substance in the place of another. Those are variants: both are kept, for one of them may be wrong or out of date.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from functools import lru_cache

from knowledge.retrieval.telling import telling

__all__ = ["Comparison", "Likeness", "compare"]

SHINGLE = 5
"""Words in a row that are compared."""

COPIED = 0.9
"""Share of the shorter passage's shingles that stand in the other one; from here on it may be a copy."""

ALIKE = 0.8
"""Share of the shorter passage's words that stand in the other one in the same order; from here on it may be a variant.
One changed word of a short passage changes five shingles, so here words are counted."""

LOOKED_AT = 0.4
"""Share of shingles below which words are not aligned, which takes a hundred times as long; few changes leave more."""

SHORT = 40
"""Words of a passage that one change can rob of all its shingles."""

LEAST_WORDS = 8
"""A passage of fewer words is compared as a whole only: a line of a table differs from the next by one cell."""

MOST_WORDS = 500
"""Longer passages are compared as a whole only; chunks have a third of that."""

LOCAL = 4
"""Words of a difference at most, on either side, that may be a contradiction; more is another content."""

FEW = 3
"""Differences at most between variants: rows of two tables differ in all their numbers and contradict nothing."""

EDGE = 3
"""Words before the first and after the last that both have; where there are more, the passages are cut elsewhere."""

_UNSPACED = "\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff"
_WORD = re.compile(
    r"\d+(?:[.,:/'\u2019\u00a0\u202f-]\d+)*"  # a number or a date with its separators
    r"|[%\u2030$\u20ac\u00a3\u00a5\u00b0]|[-+\u2212\u00b1](?=\d)"
    rf"|[{_UNSPACED}]|(?:(?![\d_{_UNSPACED}])[\w\u0300-\u036f\u0900-\u0dff])+"
)


class Likeness(Enum):
    NONE = "none"
    COPY = "copy"
    VARIANT = "variant"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two passages stand to each other, and the words in which variants differ, as ``(first, second)``."""

    likeness: Likeness
    first_in_second: float = 0.0  # share of the shingles of the first that stand in the second
    second_in_first: float = 0.0
    differences: tuple[tuple[str, str], ...] = ()


Difference = tuple[tuple[str, ...], tuple[str, ...]]

_NONE, _SAME = Comparison(Likeness.NONE), Comparison(Likeness.COPY, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Wording:
    """A passage's words as they stand and folded, and its shingles."""

    words: tuple[str, ...]
    folded: tuple[str, ...]
    vocabulary: frozenset[str]
    shingles: frozenset[int]


@lru_cache(maxsize=512)
def wording(text: str) -> Wording:
    words = tuple(_WORD.findall(unicodedata.normalize("NFKC", text)))
    folded = tuple(word.casefold() for word in words)
    shingles = frozenset(map(hash, zip(*(folded[skip:] for skip in range(SHINGLE)), strict=False)))
    return Wording(words, folded, frozenset(folded), shingles or frozenset({hash(folded)}))


@lru_cache(maxsize=1_024)
def compare(one: str, two: str) -> Comparison:
    """Compare two passages. Which is named first changes only the sides of what is returned."""
    if one == two:
        return _SAME
    first, second = wording(one), wording(two)
    if first.folded == second.folded and first.words:
        return _SAME
    shorter, longer = sorted((len(first.words), len(second.words)))
    if shorter < LEAST_WORDS or longer > MOST_WORDS:
        return _NONE
    both = len(first.shingles & second.shingles)
    shares = both / len(first.shingles), both / len(second.shingles)
    if max(shares) < LOOKED_AT and (shorter > SHORT or not _same_words(first, second)):
        return _NONE
    matched, differences = _differences(first, second)
    if matched < ALIKE * shorter:
        return _NONE
    local = tuple(pair for pair in differences if all(len(side) <= LOCAL for side in pair))
    if 0 < len(local) <= FEW:
        words = tuple((" ".join(mine), " ".join(theirs)) for mine, theirs in local)
        return Comparison(Likeness.VARIANT, *shares, words)
    return Comparison(Likeness.COPY, *shares) if max(shares) >= COPIED and not differences else _NONE


def _same_words(one: Wording, two: Wording) -> bool:
    """Tell whether most words of the smaller vocabulary are in both."""
    return len(one.vocabulary & two.vocabulary) >= ALIKE * min(len(one.vocabulary), len(two.vocabulary))


def _differences(first: Wording, second: Wording) -> tuple[int, list[Difference]]:
    """Return how many words stand in both in the same order, and the differences between them that matter.

    The words are aligned the same way whichever passage comes first.
    """
    swap = (len(first.folded), first.folded) > (len(second.folded), second.folded)
    short, long = (second, first) if swap else (first, second)
    matcher = SequenceMatcher(None, short.folded, long.folded, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    found = []
    edges = [(0, 0), *((b.a + b.size, b.b + b.size) for b in blocks)]
    starts = [*((b.a, b.b) for b in blocks), (len(short.folded), len(long.folded))]
    for place, ((a, b), (a_end, b_end)) in enumerate(zip(edges, starts, strict=True)):
        if place in (0, len(blocks)) and max(a_end - a, b_end - b) > EDGE:
            continue
        if telling(short.folded[a:a_end], long.folded[b:b_end]):
            pair = short.words[a:a_end], long.words[b:b_end]
            found.append(pair[::-1] if swap else pair)
    return sum(b.size for b in blocks), found
