"""Characters that people cannot see and that may carry words to a model: they stay in the text and are reported."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["invisible_characters"]

_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")  # Scotland's flag
_SUSPECT: Final = re.compile(
    "(?P<tags>[\U000e0000-\U000e007f]+)"
    "|(?P<selectors>[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,})"  # one alone picks a glyph, a run spells bytes
    "|(?P<turns>[\u202d\u202e])"
)
_NAMES: Final = {
    "tags": "Unicode tags",
    "selectors": "runs of variation selectors",
    "turns": "characters that turn the reading direction",
}


def invisible_characters(text: str) -> tuple[str, ...]:
    """Return a warning in words for each kind of invisible character found; linear in the text."""
    if text.isascii():
        return ()
    flags = {flag.start() + 1 for flag in _FLAG.finditer(text)}
    found: dict[str, tuple[int, int]] = {}  # kind: (how many, where the first is)
    for match in _SUSPECT.finditer(text):
        if match.start() in flags:
            continue
        kind = match.lastgroup or ""
        count, first = found.get(kind, (0, match.start()))
        found[kind] = (count + len(match.group()), first)
    return tuple(
        f"Invisible characters are in the text: {_NAMES[kind]} ({count:,}, "
        f"the first on line {text.count(chr(10), 0, first) + 1:,})."
        for kind, (count, first) in found.items()
    )
