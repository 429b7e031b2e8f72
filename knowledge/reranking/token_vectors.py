"""The token vectors of a version's chunks, small: how they are made, kept in one file, and read back.

A token vector is the hidden state of one word piece, reduced to the signs of its components: 48 bytes instead
of 1,536. Pieces of stop words and punctuation are left out, which leaves about 95 of 160. Neither costs anything
measurable (docs/decisions/0010). The vector of a sentence is the mean of its tokens' vectors and needs no storage.

File: ``FNTOK1`` and two zero bytes, ``count`` and ``dimensions`` (uint32), ``count + 1`` offsets (uint64),
then of each chunk ``tokens`` and ``sentences`` (uint16), the first token of each sentence (uint16) and the signs
(``dimensions / 8`` bytes a token, a set bit is positive). All little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from knowledge.analysis import terms
from knowledge.chunking.cutting import sentence_ends
from knowledge.embedding.base import TokenStates
from knowledge.types import Vector

__all__ = [
    "NAME",
    "Stack",
    "TokenVectors",
    "Writer",
    "compress",
    "counted",
    "pack",
    "read",
    "read_packed",
    "unpack",
    "word_at",
]

NAME = "signs-1"
"""Names the format among the files of a version; files of another one are not looked at."""

MAGIC = b"FNTOK1\0\0"

HEAD = 1_024
"""Bytes read at first: the header, and where the first 126 chunks lie."""

_HEADER = struct.Struct("<8sII")
ReadAt = Callable[[int, int], bytes]
"""Bytes of a file from an offset: ``(offset, count)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenVectors:
    """One chunk: ``signs`` is ``(n, dimensions / 8)`` uint8; ``sentences`` uint16, the first token of each sentence
    of the text, ascending; tokens before the first are title and headings."""

    signs: npt.NDArray[np.uint8]
    sentences: npt.NDArray[np.uint16]


class Stack:
    """The token vectors of several chunks under each other, unit vectors of ``1 / sqrt(dimensions)`` up or down.

    Kept as bits: the product of a vector with the signs is twice that with the bits, less the vector's sum.
    """

    def __init__(self, chunks: Sequence[TokenVectors]) -> None:
        counts = np.array([len(chunk.signs) for chunk in chunks], dtype=np.int64)
        self.filled = np.flatnonzero(counts)
        """Numbers of the chunks that have tokens."""
        self.first = np.cumsum(counts[self.filled]) - counts[self.filled]
        """The row of the first token of each of those."""
        signs = [chunks[number].signs for number in self.filled.tolist()]
        self._bits = np.unpackbits(np.concatenate(signs), axis=1).astype(np.float32) if signs else _NOTHING

    def __len__(self) -> int:
        return len(self._bits)

    def products(self, vectors: Vector) -> Vector:
        """Return the products of every token with each of ``(n, dimensions)`` vectors: ``(tokens, n)``."""
        found: Vector = self._bits @ vectors.T
        found *= 2
        found -= vectors.sum(axis=1)
        found /= np.float32(self._bits.shape[1] ** 0.5)
        return found

    def lengths(self, starts: npt.NDArray[np.int64]) -> Vector:
        """Return the length of the sum of the tokens of each part; a part ends where the next begins."""
        ends = np.append(starts[1:], len(self))
        sums = np.empty((len(starts), self._bits.shape[1]), dtype=np.float32)
        for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            np.add.reduce(self._bits[start:end], axis=0, out=sums[number])  # reduceat goes down column by column
        sums *= 2
        sums -= (ends - starts).astype(np.float32)[:, None]
        found: Vector = np.sqrt(np.einsum("ij,ij->i", sums, sums) / np.float32(self._bits.shape[1]))
        return found


_NOTHING = np.zeros((0, 0), dtype=np.float32)


def compress(tokens: TokenStates, search_text: str, *, prefix: int) -> TokenVectors:
    """Reduce the states of a search text, of which the first ``prefix`` code points are title and headings."""
    kept = counted(tokens, search_text)
    edges = [prefix, *sentence_ends(search_text, prefix, len(search_text))]
    first = np.searchsorted(tokens.spans[kept, 0], edges)
    signs = np.packbits(tokens.states[kept] > 0, axis=1)
    return TokenVectors(signs=signs, sentences=np.unique(first[first < len(signs)]).astype(np.uint16))


def counted(tokens: TokenStates, text: str) -> npt.NDArray[np.bool_]:
    """Tell which pieces are parts of words that count; all where none does."""
    kept = np.array([_counts(word_at(text, start, end)) for start, end in tokens.spans.tolist()], dtype=np.bool_)
    return kept if kept.any() else np.ones(len(kept), dtype=np.bool_)


def word_at(text: str, start: int, end: int) -> str:
    """Return the whole word that a piece is part of, or the piece where it is no word."""
    if not any(character.isalnum() for character in text[start:end]):
        return text[start:end]
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[start:end]


@lru_cache(maxsize=65_536)
def _counts(word: str) -> bool:
    return bool(terms(word))


def pack(chunk: TokenVectors) -> bytes:
    head = struct.pack("<HH", len(chunk.signs), len(chunk.sentences))
    return b"".join((head, chunk.sentences.tobytes(), chunk.signs.tobytes()))


def unpack(data: bytes, *, dimensions: int) -> TokenVectors:
    """Read one chunk.

    :raises ValueError: the bytes are too few.
    """
    tokens, sentences = struct.unpack_from("<HH", data)
    starts = np.frombuffer(data, np.uint16, sentences, 4)
    signs = np.frombuffer(data, np.uint8, tokens * dimensions // 8, 4 + 2 * sentences)
    return TokenVectors(signs=signs.reshape(tokens, dimensions // 8), sentences=starts)


class Writer:
    """Writes the file of ``count`` packed chunks in their order, none of them held in memory."""

    def __init__(self, out: BinaryIO, *, count: int, dimensions: int) -> None:
        """``dimensions`` is a multiple of 8, as those of every embedding model are.

        :raises ValueError: it is not.
        """
        if dimensions % 8:
            raise ValueError(f"{dimensions} dimensions are no multiple of 8")
        self._out, self._count = out, count
        self._offsets = [_HEADER.size + 8 * (count + 1)]
        out.write(_HEADER.pack(MAGIC, count, dimensions))
        out.write(bytes(8 * (count + 1)))  # until it is finished

    def add(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._offsets.append(self._offsets[-1] + self._out.write(chunk))

    def finish(self) -> None:
        """Write where each chunk lies.

        :raises ValueError: there were more or fewer chunks.
        """
        if len(self._offsets) != self._count + 1:
            raise ValueError(f"{len(self._offsets) - 1} chunks instead of {self._count}")
        self._out.seek(_HEADER.size)
        self._out.write(np.array(self._offsets, dtype="<u8").tobytes())


def read(read_at: ReadAt, ordinals: Collection[int]) -> dict[int, TokenVectors]:
    """Return the chunks of these ordinals; those that the file does not have are left out.

    :raises ValueError: it is no file of token vectors, or is cut off.
    """
    dimensions, chunks = read_packed(read_at, ordinals)
    return {ordinal: unpack(data, dimensions=dimensions) for ordinal, data in chunks.items()}


def read_packed(read_at: ReadAt, ordinals: Collection[int]) -> tuple[int, dict[int, bytes]]:
    """Return how many dimensions the vectors have, and the chunks of these ordinals as they were packed.

    :raises ValueError: it is no file of token vectors, or is cut off.
    """
    head = read_at(0, HEAD)
    if len(head) < _HEADER.size:
        raise ValueError("a file of token vectors that is cut off")
    magic, count, dimensions = _HEADER.unpack_from(head)
    if magic != MAGIC:
        raise ValueError("not a file of token vectors")
    wanted = sorted(ordinal for ordinal in set(ordinals) if 0 <= ordinal < count)
    chunks: dict[int, bytes] = {}
    for ordinal in wanted:
        at = _HEADER.size + 8 * ordinal
        start, end = struct.unpack("<QQ", head[at : at + 16] if at + 16 <= len(head) else _exactly(read_at, at, 16))
        if not _HEADER.size < start <= end:
            raise ValueError("a file of token vectors that was not finished")
        chunks[ordinal] = _exactly(read_at, start, end - start)
    return dimensions, chunks


def _exactly(read_at: ReadAt, offset: int, count: int) -> bytes:
    data = read_at(offset, count)
    if len(data) != count:
        raise ValueError("a file of token vectors that is cut off")
    return data
