"""Chunks cut at the strongest separator that makes them small enough: paragraph, line, sentence, word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from knowledge.chunking.base import TokenCounter
from knowledge.chunking.cutting import sentence_ends, strip
from knowledge.chunking.fixed import windows
from knowledge.chunking.pieces import MAX_CHUNKS, MAX_TOKENS, Limits, finish
from knowledge.chunking.runs import Runs
from knowledge.types import ChunkRange, ParsedDocument

Cuts = Callable[[str, int, int], Sequence[int]]
"""Offsets within a range at which it may be cut, ascending."""


def _after(pattern: str) -> Cuts:
    found = re.compile(pattern)
    return lambda text, start, end: [match.end() for match in found.finditer(text, start, end) if match.end() < end]


SEPARATORS: tuple[Cuts, ...] = (_after(r"\n[^\S\n]*\n\s*"), _after(r"\n"), sentence_ends, _after(r"\s+"))
"""From the strongest to the weakest."""


class RecursiveChunker:
    """Splits as most text splitters do: by paragraphs, and what is too long by the next weaker separator, joining
    neighbours up to ``target`` characters at each level."""

    name: ClassVar[str] = "recursive"
    version: ClassVar[str] = "1"

    def __init__(
        self, *, target: int = 900, overlap: int = 0, header: bool = True, max_tokens: int = MAX_TOKENS,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:  # fmt: skip
        """``overlap`` characters of each chunk lie in the one before; ``header``: title and headings are searched."""
        self._target, self._overlap = max(1, target - overlap), overlap
        self._context = None if header else ""
        self._limits = Limits(max_tokens=max_tokens, max_chunks=max_chunks)

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges.

        :raises DocumentTooLarge: there are more chunks than a document may have.
        """
        runs = Runs(document)
        pieces = []
        for run, (start, end) in enumerate(runs.ranges()):
            pieces += [runs.piece(a, b, run=run) for a, b in split(document.text, start, end, target=self._target)]
        return finish(
            document, pieces, title=title, count_tokens=count_tokens, limits=self._limits,
            context_of=lambda start, path: self._context, overlap=self._overlap,
        )  # fmt: skip


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
