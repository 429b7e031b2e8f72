"""What chunkers share that look at nothing but the text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from knowledge.chunking.base import TokenCounter
from knowledge.chunking.pieces import MAX_CHUNKS, MAX_TOKENS, Limits, finish
from knowledge.chunking.runs import Runs
from knowledge.types import ChunkRange, ParsedDocument


class PlainChunker(ABC):
    """Cuts each stretch that people read into stripped ranges of at most ``target`` characters."""

    def __init__(
        self, *, target: int = 900, overlap: int = 0, header: bool = True, max_tokens: int = MAX_TOKENS,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:  # fmt: skip
        """``overlap`` characters of each chunk lie in the one before; ``header``: title and headings are searched."""
        self._size, self._overlap = max(1, target - overlap), overlap
        self._context = None if header else ""
        self._limits = Limits(max_tokens=max_tokens, max_chunks=max_chunks)

    @abstractmethod
    def _ranges(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield stripped ranges of at most ``self._size`` characters."""

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges.

        :raises DocumentTooLarge: there are more chunks than a document may have.
        """
        runs = Runs(document)
        pieces = []
        for run, (start, end) in enumerate(runs.ranges()):
            pieces += [runs.piece(a, b, run=run) for a, b in self._ranges(document.text, start, end)]
        return finish(
            document, pieces, title=title, count_tokens=count_tokens, limits=self._limits,
            context_of=lambda start, path: self._context, overlap=self._overlap,
        )  # fmt: skip
