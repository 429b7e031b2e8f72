"""What an embedder plug-in is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenStates:
    """The last hidden states of the word pieces of one text, special tokens left out."""

    spans: npt.NDArray[np.int32]  # (n, 2): the code points of the text each piece stands for, end exclusive
    states: Vector  # (n, dimension) float32, not normalised


class TokenEmbedder(Embedder, Protocol):
    """An embedder that also hands out what its vectors are the mean of, at no further cost."""

    def embed_with_tokens(self, texts: Sequence[str]) -> tuple[Vector, list[TokenStates]]:
        """Return what ``embed_passages`` does, and the states of each text in the order given.

        :raises EmbeddingFailed: as for ``embed_passages``.
        """
        ...

    def query_tokens(self, text: str) -> TokenStates:
        """Return the states of a query; it is embedded once for both."""
        ...


def has_tokens(embedder: Embedder) -> TypeGuard[TokenEmbedder]:
    """Tell whether an embedder hands out token states; asks it nothing, as a hosted one might call its model."""
    return hasattr(type(embedder), "embed_with_tokens")
