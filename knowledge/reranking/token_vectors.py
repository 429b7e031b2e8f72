"""The token vectors of a version's chunks, small: how they are made, kept in one file, and read back.

A token vector is the hidden state of one word piece, projected, brought to length 1 and rounded to 8 bits:
128 bytes instead of 1,536, with the same ranking (docs/decisions). Beside it stands the length of the state,
so that the vector of a sentence (the mean of its states) can be made from its tokens and needs no storage
of its own.

File: ``FNTOK1`` and two zero bytes, ``count`` and ``dimensions`` (uint32), ``count + 1`` offsets (uint64),
then of each chunk ``tokens`` and ``sentences`` (uint16), the first token of each sentence (uint16),
the lengths (float16) and the vectors (int8). All little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from knowledge.chunking.cutting import sentence_ends
from knowledge.embedding.base import TokenStates
from knowledge.types import Vector

__all__ = ["TokenVectors", "Writer", "compress", "pack", "read", "sentence_starts", "unpack"]

MAGIC = b"FNTOK1\0\0"
SCALE = 127.0
"""A component of a unit vector is in -1..1; a step of 1/127 costs nothing measurable beside the projection."""

_HEADER = struct.Struct("<8sII")
ReadAt = Callable[[int, int], bytes]
"""Bytes of a file from an offset: ``(offset, count)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenVectors:
    """One chunk: ``vectors`` is ``(n, dimensions)`` int8, ``lengths`` ``(n,)`` float16, ``sentences`` uint16,
    the first token of each sentence of the text, ascending; tokens before the first are title and headings."""

    vectors: npt.NDArray[np.int8]
    lengths: npt.NDArray[np.float16]
    sentences: npt.NDArray[np.uint16]


def sentence_starts(tokens: TokenStates, search_text: str, *, prefix: int) -> npt.NDArray[np.uint16]:
    """Return the first token of each sentence of ``search_text[prefix:]``; sentences without one are left out."""
    edges = [prefix, *sentence_ends(search_text, prefix, len(search_text))]
    first = np.searchsorted(tokens.spans[:, 0], edges)
    return np.unique(first[first < len(tokens.spans)]).astype(np.uint16)


def compress(tokens: TokenStates, *, sentences: npt.NDArray[np.uint16], projection: Vector) -> TokenVectors:
    """Project and round the states of one chunk."""
    projected = tokens.states @ projection
    lengths = np.linalg.norm(projected, axis=1)
    unit = projected / np.maximum(lengths, 1e-9)[:, None]
    rounded = np.clip(np.rint(unit * SCALE), -127, 127).astype(np.int8)
    return TokenVectors(vectors=rounded, lengths=lengths.astype(np.float16), sentences=sentences)


def pack(chunk: TokenVectors) -> bytes:
    head = struct.pack("<HH", len(chunk.vectors), len(chunk.sentences))
    return b"".join((head, chunk.sentences.tobytes(), chunk.lengths.tobytes(), chunk.vectors.tobytes()))


def unpack(data: bytes, *, dimensions: int) -> TokenVectors:
    """Read one chunk.

    :raises ValueError: the bytes are not those of a chunk.
    """
    tokens, sentences = struct.unpack_from("<HH", data)
    at = 4
    starts = np.frombuffer(data, np.uint16, sentences, at)
    lengths = np.frombuffer(data, np.float16, tokens, at + 2 * sentences)
    vectors = np.frombuffer(data, np.int8, tokens * dimensions, at + 2 * (sentences + tokens))
    return TokenVectors(vectors=vectors.reshape(tokens, dimensions), lengths=lengths, sentences=starts)


class Writer:
    """Writes the file of ``count`` packed chunks in their order, none of them held in memory."""

    def __init__(self, out: BinaryIO, *, count: int, dimensions: int) -> None:
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


def read(read_at: ReadAt, ordinals: Collection[int], *, dimensions: int) -> dict[int, TokenVectors]:
    """Return the chunks of these ordinals; those that the file does not have are left out.

    :raises ValueError: it is no file of token vectors, is cut off, or was written with another projection.
    """
    magic, count, found = _HEADER.unpack(_exactly(read_at, 0, _HEADER.size))
    if magic != MAGIC or found != dimensions:
        raise ValueError("not a file of token vectors of this kind")
    wanted = sorted(ordinal for ordinal in set(ordinals) if 0 <= ordinal < count)
    chunks: dict[int, TokenVectors] = {}
    for ordinal in wanted:
        start, end = struct.unpack("<QQ", _exactly(read_at, _HEADER.size + 8 * ordinal, 16))
        if not _HEADER.size < start <= end:
            raise ValueError("a file of token vectors that was not finished")
        chunks[ordinal] = unpack(_exactly(read_at, start, end - start), dimensions=dimensions)
    return chunks


def _exactly(read_at: ReadAt, offset: int, count: int) -> bytes:
    data = read_at(offset, count)
    if len(data) != count:
        raise ValueError("a file of token vectors that is cut off")
    return data
