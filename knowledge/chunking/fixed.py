"""Chunks of one size, wherever that cuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from knowledge.chunking.base import TokenCounter
from knowledge.chunking.cutting import grapheme_border, strip
from knowledge.chunking.pieces import MAX_CHUNKS, MAX_TOKENS, Limits, finish
from knowledge.chunking.runs import Runs
from knowledge.types import ChunkRange, ParsedDocument

_WORD = 48  # characters a window gives up to end between two words


class FixedChunker:
    """Windows of ``target`` characters at most, that end between words and know nothing of structure."""

    name: ClassVar[str] = "fixed"
    version: ClassVar[str] = "1"

    def __init__(
        self, *, target: int = 900, overlap: int = 0, header: bool = True, max_tokens: int = MAX_TOKENS,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:  # fmt: skip
        """``overlap`` characters of each window lie in the one before; ``header``: title and headings are searched."""
        self._step, self._overlap = max(1, target - overlap), overlap
        self._context = None if header else ""
        self._limits = Limits(max_tokens=max_tokens, max_chunks=max_chunks)

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges.

        :raises DocumentTooLarge: there are more chunks than a document may have.
        """
        runs = Runs(document)
        pieces = []
        for run, (start, end) in enumerate(runs.ranges()):
            pieces += [runs.piece(a, b, run=run) for a, b in windows(document.text, start, end, size=self._step)]
        return finish(
            document, pieces, title=title, count_tokens=count_tokens, limits=self._limits,
            context_of=lambda start, path: self._context, overlap=self._overlap,
        )  # fmt: skip


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
