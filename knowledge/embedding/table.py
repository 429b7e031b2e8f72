"""Word pieces as the embedding model sees them before its first layer: vectors that are read from a table.

No model is run, so a text costs little more than cutting it into pieces. What a piece means in its sentence is not in
them; where that matters, the states of the whole model are (``TokenEmbedder``).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from knowledge.embedding import weights
from knowledge.embedding.base import TokenStates
from knowledge.embedding.graph import TOKENIZER_FILE, WEIGHTS_FILE, read_header
from knowledge.embedding.tokens import WordPieces
from knowledge.errors import EmbeddingFailed
from knowledge.types import Vector

__all__ = ["PieceTable"]

_PREFIX = "embeddings."
_EPSILON = np.float32(1e-12)  # of BERT's normalisation


class PieceTable:
    """Reads the embeddings of word, place and kind from the weights of all-MiniLM-L6-v2, which stay on the disk.

    Safe to use from several threads; everything is opened on first use.
    """

    def __init__(self, weights_dir: Path | None = None) -> None:
        self._weights_dir = weights_dir
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def states(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return of each text the states of its pieces, as many as the model reads; beyond them it is not seen.

        :raises EmbeddingFailed: the weights are missing or of another model.
        """
        table = self._open()
        found = []
        for ids, spans in table.pieces.encode_with_spans(texts):
            rows = table.normalised(np.asarray(ids[1:-1], dtype=np.int64))
            found.append(TokenStates(spans=np.asarray(spans[1:-1], dtype=np.int32).reshape(-1, 2), states=rows))
        return found

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                folder = weights.find_weights(self._weights_dir)
                weights.verify(folder)
                self._opened = _opened(folder)
            return self._opened


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    pieces: WordPieces
    words: Vector  # (vocabulary, dimension)
    places: Vector  # (positions, dimension): with the one kind of text there is
    scale: Vector
    shift: Vector

    def normalised(self, ids: np.typing.NDArray[np.int64]) -> Vector:
        """Return ``(len(ids), dimension)`` float32; the first piece stands behind the one that begins a text."""
        rows = self.words[ids] + self.places[1 : len(ids) + 1]
        rows -= rows.mean(axis=1, keepdims=True)
        rows /= np.sqrt((rows * rows).mean(axis=1, keepdims=True) + _EPSILON)
        found: Vector = rows * self.scale + self.shift
        return found


def _opened(folder: Path) -> _Opened:
    header, base = read_header(folder / WEIGHTS_FILE)

    def tensor(name: str) -> Vector:
        entry = header[_PREFIX + name]
        shape, start = tuple(entry["shape"]), entry["data_offsets"][0]
        return np.memmap(folder / WEIGHTS_FILE, np.float32, "r", offset=base + start, shape=shape)

    try:
        return _Opened(
            pieces=WordPieces(folder / TOKENIZER_FILE, weights.manifest().max_tokens),
            words=tensor("word_embeddings.weight"),
            places=tensor("position_embeddings.weight") + tensor("token_type_embeddings.weight")[0],
            scale=np.array(tensor("LayerNorm.weight")),
            shift=np.array(tensor("LayerNorm.bias")),
        )
    except (OSError, KeyError, ValueError) as err:
        raise EmbeddingFailed("The embedding model's weights cannot be read.") from err
