"""Citation sentinels: how a checked citation is written inside the canonical answer text.

``U+E000 number U+E001``. Private-use characters of the model and of documents are removed before, so
that a sentinel can only come from our own parser.
"""

from __future__ import annotations

import re

__all__ = ["is_deceptive", "is_private_use", "sentinel", "strip_sentinels"]

OPEN = "\ue000"
CLOSE = "\ue001"
PATTERN = re.compile(f"{OPEN}(\\d+){CLOSE}")


def sentinel(number: int) -> str:
    """Return the mark of display number ``number``."""
    return f"{OPEN}{number}{CLOSE}"


def strip_sentinels(text: str, style: str = "[n]") -> str:
    """Replace the marks by ``style``, in which ``n`` stands for the number; an empty style removes them.

    ``[n]`` is as long as the mark, so offsets into the canonical text hold for the result as well.
    """
    return PATTERN.sub(lambda match: style.replace("n", match.group(1)), text)


def is_private_use(c: str) -> bool:
    """Tell whether a character is in one of Unicode's three private-use areas."""
    return "\ue000" <= c <= "\uf8ff" or c >= "\U000f0000"


def is_deceptive(c: str) -> bool:
    """Tell whether a character could forge a mark or turn what follows it around: private use,
    embeddings, overrides and isolates of text direction, and Unicode's non-characters."""
    return is_private_use(c) or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" or c in "\ufffe\uffff"
