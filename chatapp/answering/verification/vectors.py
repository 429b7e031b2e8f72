"""Texts as vectors of their words: a statement as it is, a source as the signs of its vectors.

The vectors are those of a table of word pieces, each with some of its neighbours, for which no model is run. Reduced as
passages are for reranking (``knowledge.reranking.token_vectors``): stop words and punctuation are left out, and of a
source only the signs are kept, which costs the verifier nothing measurable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.chunking.cutting import even_parts, sentence_ends, strip
from knowledge.embedding.table import PieceTable
from knowledge.reranking.token_vectors import counted
from knowledge.types import Vector

__all__ = ["SourceVectors", "StatementVectors", "may_mean_the_same", "source_vectors", "statement_vectors"]

PIECE, LONGEST = 900, 1_200
"""Characters of a text that are read together: what the model has places for."""

NEIGHBOURS = (0.4, 0.2)
"""What the pieces beside one add to it, the nearest first (measured)."""


ALIKE = 0.35
"""Cosine of two words. Of 46 pairs such as "buy" and "purchase" one is below; of words drawn at random 98 of 100 pairs
are."""


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


def source_vectors(texts: Sequence[str], *, table: PieceTable) -> list[SourceVectors]:
    """Return the vectors of each text.

    :raises EmbeddingFailed: the table cannot be read.
    """
    return [
        _by_sentences(text, starts, np.packbits(states > 0, axis=1))
        for text, (starts, states) in zip(texts, _counted(texts, table), strict=True)
    ]


def statement_vectors(statements: Sequence[str], *, table: PieceTable) -> list[StatementVectors]:
    """Return the vectors of each statement; stop words are left out where it has others.

    :raises EmbeddingFailed: the table cannot be read.
    """
    found = [states for _, states in _counted(statements, table)]
    return [StatementVectors(tokens=_unit(rows), whole=_unit(rows.sum(axis=0, keepdims=True))[0]) for rows in found]


def may_mean_the_same(one: str, two: str, *, table: PieceTable) -> bool:
    """Tell whether two words are near each other.

    :raises EmbeddingFailed: the table cannot be read.
    """
    first, second = (_unit(each.states.sum(axis=0, keepdims=True))[0] for each in table.states([one, two]))
    return bool(first @ second >= ALIKE)


def _blended(rows: Vector) -> Vector:
    """Return each piece with some of its neighbours: a word counts for more where the words beside it are the same."""
    found = rows.copy()
    for away, share in enumerate(NEIGHBOURS, start=1):
        found[away:] += np.float32(share) * rows[:-away]
        found[:-away] += np.float32(share) * rows[away:]
    return found


_Counted = tuple[npt.NDArray[np.int64], Vector]


def _counted(texts: Sequence[str], table: PieceTable) -> list[_Counted]:
    """Return of each text where its pieces that count begin, and their states: of all its parts."""
    parts = [(number, *part) for number, text in enumerate(texts) for part in _parts(text)]
    if not parts:
        return [_NOTHING for _ in texts]
    states = table.states([texts[number][start:end] for number, start, end in parts])
    found: list[list[_Counted]] = [[] for _ in texts]
    for (number, start, end), tokens in zip(parts, states, strict=True):
        kept = counted(tokens, texts[number][start:end])
        found[number].append((tokens.spans[kept, 0] + start, _blended(tokens.states)[kept]))
    return [_joined(pieces) if pieces else _NOTHING for pieces in found]


_NOTHING: _Counted = (np.zeros(0, np.int64), np.zeros((0, 0), np.float32))


def _joined(pieces: Sequence[_Counted]) -> _Counted:
    return np.concatenate([starts for starts, _ in pieces]), np.concatenate([states for _, states in pieces])


def _parts(text: str) -> list[tuple[int, int]]:
    return even_parts(text, 0, len(text), target=PIECE, limit=LONGEST) if text.strip() else []


def _by_sentences(text: str, starts: npt.NDArray[np.int64], signs: npt.NDArray[np.uint8]) -> SourceVectors:
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
