"""Chunks cut at the strongest separator that makes them small enough: paragraph, line, sentence, word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from knowledge.chunking.cutting import sentence_ends, strip
from knowledge.chunking.fixed import windows
from knowledge.chunking.plain import PlainChunker

Cuts = Callable[[str, int, int], Sequence[int]]
"""Offsets within a range at which it may be cut, ascending."""


def _after(pattern: str) -> Cuts:
    found = re.compile(pattern)
    return lambda text, start, end: [match.end() for match in found.finditer(text, start, end) if match.end() < end]


SEPARATORS: tuple[Cuts, ...] = (_after(r"\n[^\S\n]*\n\s*"), _after(r"\n"), sentence_ends, _after(r"\s+"))
"""From the strongest to the weakest."""


class RecursiveChunker(PlainChunker):
    """Splits as most text splitters do: by paragraphs, and what is too long by the next weaker separator, joining
    neighbours up to ``target`` characters at each level."""

    name: ClassVar[str] = "recursive"
    version: ClassVar[str] = "1"

    def _ranges(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        return split(text, start, end, target=self._size)


def split(text: str, start: int, end: int, *, target: int, level: int = 0) -> Iterator[tuple[int, int]]:
    """Yield stripped ranges of at most ``target`` characters."""
    if end - start <= target or level == len(SEPARATORS):
        yield from windows(text, start, end, size=target)
        return
    held = start  # [held, last) fits and is not yielded yet
    last = start
    for edge in (*SEPARATORS[level](text, start, end), end):
        if edge - held > target and last > held:
            yield from _stripped(text, held, last)
            held = last
        if edge - held > target:
            yield from split(text, held, edge, target=target, level=level + 1)
            held = edge
        last = edge
    yield from _stripped(text, held, last)


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if found := strip(text, start, end):
        yield found
