"""The stretches of a document that people read, for chunkers that look at nothing but the text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from knowledge.chunking.cutting import strip
from knowledge.chunking.pieces import Piece
from knowledge.chunking.units import is_read, own_path
from knowledge.types import ParsedDocument

__all__ = ["Runs"]


class Runs:
    """Text between what nobody reads (page headers and footers, hidden words), and the headings of each place."""

    def __init__(self, document: ParsedDocument) -> None:
        self._document = document
        blocks = [block for block in document.blocks if is_read(block)]
        self._starts = [block.start for block in blocks]
        self._blocks = blocks

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the stretches in order, stripped."""
        text, position = self._document.text, 0
        for block in self._document.blocks:
            if not is_read(block):
                if found := strip(text, position, block.start):
                    yield found
                position = max(position, block.end)
        if found := strip(text, position, len(text)):
            yield found

    def piece(self, start: int, end: int, *, run: int) -> Piece:
        """Return a range with the headings of the block in which it begins, its own among them."""
        at = bisect_right(self._starts, start) - 1
        path = own_path(self._document.text, self._blocks[at]) if at >= 0 else ()
        return Piece(start, end, path, run)
