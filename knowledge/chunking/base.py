"""What a chunker plug-in is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from knowledge.types import ChunkRange, ParsedDocument

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Word pieces of each text by the embedding model in use, without special tokens."""


class Chunker(Protocol):
    name: ClassVar[str]
    version: ClassVar[str]

    def chunk(self, document: ParsedDocument, *, title: str, count_tokens: TokenCounter) -> list[ChunkRange]:
        """Cut the document into ranges, ordinals from 0. ``title`` takes part in the token limit only."""
        ...


def search_text(*, title: str, heading_path: Sequence[str], text: str, context: str | None = None) -> str:
    """The text that is embedded and indexed for keywords; never cited from.

    Title and headings stand before the text, or ``context`` (``ChunkRange.context``) in their place.
    """
    before = " > ".join(part for part in (title, *heading_path) if part) if context is None else context
    return f"{before}\n{text}" if before else text
