"""What an embedder plug-in is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from knowledge.types import EmbeddingSpec, Vector


class Embedder(Protocol):
    """Maps texts to unit vectors. Safe to call from several threads; loads its model on first use."""

    @property
    def spec(self) -> EmbeddingSpec:
        """Does not load the model for local embedders; may make one call for hosted ones."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """Return ``(len(texts), dimension)`` float32, rows L2-normalised, in the order given.

        :raises EmbeddingFailed: a vector is missing, not finite, zero or of another dimension.
        """
        ...

    def embed_query(self, text: str) -> Vector:
        """Return ``(dimension,)`` float32, L2-normalised."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Word pieces of each text without special tokens."""
        ...
