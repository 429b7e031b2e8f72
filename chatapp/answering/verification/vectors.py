"""Texts as vectors of their words: a statement as it is, a source as the signs of its vectors.

The same reduction that passages are reranked with (``knowledge.reranking.token_vectors``): vectors of stop words and
punctuation are left out, and of a source only the signs are kept, which costs the verifier nothing measurable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.chunking.cutting import even_parts, sentence_ends, strip
from knowledge.embedding.base import TokenEmbedder
from knowledge.reranking.token_vectors import counted
from knowledge.types import Vector

__all__ = ["SourceVectors", "StatementVectors", "source_vectors", "statement_vectors"]

PIECE, LONGEST = 900, 1_200
"""Characters of a text that are embedded together: what the model reads at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceVectors:
    """``signs`` is ``(tokens, dimensions / 8)`` uint8; ``sentences`` are ranges of the text, ``first`` the number of
    the first token of each."""

    signs: npt.NDArray[np.uint8]
    sentences: tuple[tuple[int, int], ...]
    first: npt.NDArray[np.int64]

    def units(self) -> Vector:
        """Return ``(tokens, dimensions)`` float32: unit vectors that point where the signs do."""
        bits = np.unpackbits(self.signs, axis=1).astype(np.float32)
        bits *= 2
        bits -= 1
        bits /= np.float32(max(1, bits.shape[1]) ** 0.5)
        return bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatementVectors:
    tokens: Vector  # (n, dimensions), unit length, in the order of the statement
    whole: Vector  # (dimensions,), unit length


def source_vectors(texts: Sequence[str], *, embedder: TokenEmbedder) -> list[SourceVectors]:
    """Return the vectors of each text.

    :raises EmbeddingFailed: the model failed.
    """
    parts = [(number, *part) for number, text in enumerate(texts) for part in _parts(text)]
    _, states = embedder.embed_with_tokens([texts[number][start:end] for number, start, end in parts])
    found: list[list[_Piece]] = [[] for _ in texts]
    for (number, start, end), tokens in zip(parts, states, strict=True):
        kept = counted(tokens, texts[number][start:end])
        found[number].append((tokens.spans[kept, 0] + start, np.packbits(tokens.states[kept] > 0, axis=1)))
    return [_joined(text, pieces) for text, pieces in zip(texts, found, strict=True)]


def statement_vectors(statements: Sequence[str], *, embedder: TokenEmbedder) -> list[StatementVectors]:
    """Return the vectors of each statement; stop words are left out where it has others.

    :raises EmbeddingFailed: the model failed.
    """
    wholes, states = embedder.embed_with_tokens(statements)
    return [
        StatementVectors(tokens=_unit(found.states[counted(found, text)]), whole=whole)
        for text, whole, found in zip(statements, wholes, states, strict=True)
    ]


_Piece = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]


def _parts(text: str) -> list[tuple[int, int]]:
    return even_parts(text, 0, len(text), target=PIECE, limit=LONGEST) if text.strip() else []


def _joined(text: str, pieces: Sequence[_Piece]) -> SourceVectors:
    if not pieces:
        return SourceVectors(signs=np.zeros((0, 0), np.uint8), sentences=(), first=np.zeros(0, np.int64))
    starts, signs = (np.concatenate(rows) for rows in zip(*pieces, strict=True))
    edges = [0, *sentence_ends(text, 0, len(text))]
    ranges = [strip(text, *edge) for edge in zip(edges, [*edges[1:], len(text)], strict=True)]
    first = np.searchsorted(starts, edges)
    counts = np.diff(first, append=len(starts))
    held = [number for number, at in enumerate(ranges) if at is not None and counts[number]]
    return SourceVectors(
        signs=signs, sentences=tuple(at for number in held if (at := ranges[number]) is not None), first=first[held]
    )


def _unit(rows: Vector) -> Vector:
    found: Vector = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-9))
    return found
