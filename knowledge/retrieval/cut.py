"""Shorten a passage that is too long for what may be returned."""

from __future__ import annotations

from dataclasses import replace

from knowledge.chunking.cutting import grapheme_border, sentence_ends
from knowledge.types import Passage

__all__ = ["cut"]


def cut(passage: Passage, *, tokens: int) -> Passage | None:
    """Return the beginning of the passage that is about so many tokens long; None where that is nothing.

    It ends after a sentence, else before white space, else between graphemes, and is a range of the document still.
    """
    if passage.tokens <= tokens:
        return passage
    text = passage.text
    most = len(text) * max(0, tokens) // passage.tokens
    ends = [end for end in sentence_ends(text, 0, len(text)) if end <= most]
    end = ends[-1] if ends else _last_space(text, most) or grapheme_border(text, most, 0)
    kept = text[:end].rstrip()
    if not kept:
        return None
    share = -(-passage.tokens * len(kept) // len(text))  # rounded up, and no more than asked for
    return replace(passage, end=passage.start + len(kept), text=kept, tokens=min(tokens, share))


def _last_space(text: str, most: int) -> int:
    """Return the offset of the last white space up to ``most``; 0 where there is none."""
    return next((at for at in range(most, 0, -1) if text[at].isspace()), 0)
