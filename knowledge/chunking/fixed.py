"""Chunks of one size, wherever that cuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from knowledge.chunking.cutting import grapheme_border, strip
from knowledge.chunking.plain import PlainChunker

_WORD = 48  # characters a window gives up to end between two words


class FixedChunker(PlainChunker):
    """Windows of ``target`` characters at most, that end between words and know nothing of structure."""

    name: ClassVar[str] = "fixed"
    version: ClassVar[str] = "1"

    def _ranges(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        return windows(text, start, end, size=self._size)


def windows(text: str, start: int, end: int, *, size: int) -> Iterator[tuple[int, int]]:
    """Yield stripped windows of at most ``size`` characters that part no word where one ends nearby."""
    while start < end:
        stop = end
        if end - start > size:
            stop = start + size
            near = (at for at in range(stop, max(start, stop - _WORD), -1) if text[at].isspace())
            stop = next(near, grapheme_border(text, stop, start + 1))
        if found := strip(text, start, stop):
            yield found
        start = stop
