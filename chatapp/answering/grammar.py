"""The forms in which models write citation markers, and what may still become one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Marker", "could_be_marker", "parse_marker", "unclosed_label"]

HOLD_LIMIT = 32
"""Characters that are held back at most before a bracket is decided to be text."""

LONGEST_RANGE = 5

_WORDS = ("sources", "quellen", "and", "und", "pp", "pages", "seiten", "l")
_PREFIXES = frozenset(word[:length] for word in _WORDS for length in range(1, len(word) + 1))
_PLAIN = frozenset("0123456789 ,;&-–—.:#^†\u00a0")

_ITEM = r"[sS]?\d{1,28}(?:\.\d{1,4})?(?:\s*[-–—]\s*[sS]?\d{1,28})?"
_JOIN = r"(?:\s*[,;&]\s*(?:and\s+|und\s+)?|\s+(?:and|und)\s+|\s+)"
_PAGE = r"(?:\s*[,:;]?\s*(?:pp?\.?|pages?|seiten?|s\.)\s*\d+(?:\s*[-–]\s*\d+)?)?"
_MARKER = re.compile(
    rf"\s*(?P<note>\^)?(?P<word>sources?|quellen?)?\s*[:#]?\s*(?P<list>{_ITEM}(?:{_JOIN}{_ITEM})*){_PAGE}\s*",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"([sS]?)(\d+)(?:\.\d+)?(?:\s*([-–—])\s*[sS]?(\d+))?")
_UNCLOSED = re.compile(r"\s*[sS]\d+")
_LEAK = re.compile(r"\s*(\d+)(:\d+)?†")


@dataclass(frozen=True, slots=True)
class Marker:
    """A bracket read as a citation: source numbers in order, without repeats."""

    numbers: tuple[int, ...]
    form: Literal["label", "number", "leak"]
    too_long: bool = False  # a range over more than five sources says nothing


def could_be_marker(held: str, c: str, *, parenthesis: bool) -> bool:
    """Tell whether ``held + c`` may still become a marker; ``held`` begins with its bracket."""
    if c.isascii() and c.isalpha():
        run = c.lower()
        for before in reversed(held):
            if not (before.isascii() and before.isalpha()):
                break
            run = before.lower() + run
        return run in _PREFIXES
    return c in _PLAIN and not (parenthesis and len(held) == 1)


def parse_marker(content: str, *, parenthesis: bool = False) -> Marker | None:
    """Read the inside of a bracket. In parentheses only ``S1`` and ``Source 1`` count."""
    leak = _LEAK.match(content)
    if leak:
        return Marker((), "leak") if leak.group(2) else Marker((int(leak.group(1)),), "number")
    match = _MARKER.fullmatch(content)
    if match is None:
        return None
    items = _NUMBERS.findall(match["list"])
    if parenthesis and not match["word"] and any(item[0] != "S" for item in items):
        return None
    numbers: dict[int, None] = {}
    too_long = False
    for _, first, dash, last in items:
        low, high = int(first), int(last or first)
        if dash and not low <= high < low + LONGEST_RANGE:
            too_long = True
            continue
        numbers.update(dict.fromkeys(range(low, high + 1)))
    named = match["note"] or match["word"] or any(item[0] for item in items)
    return Marker(tuple(numbers), "label" if named else "number", too_long)


def unclosed_label(content: str) -> int:
    """Return how many characters at the beginning are a label such as ``S1`` whose bracket never closed."""
    match = _UNCLOSED.match(content)
    return match.end() if match else 0
