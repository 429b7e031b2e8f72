"""An embedder that remembers on the disk what it has embedded: the slow part of building a corpus again.

One SQLite file for each embedding model and arithmetic below a folder. The key is the sha256 of the whole
specification and the text; the value holds the vector and, where the model has them, the token states in
half precision. Half precision on the way in as well, so that the first run equals those after it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from knowledge.embedding.base import Embedder, TokenEmbedder, TokenStates, has_tokens
from knowledge.embedding.vectors import QueryCache
from knowledge.types import EmbeddingSpec, Vector

__all__ = ["CachedEmbedder", "CachedTokenEmbedder", "cached"]

Made = tuple[Vector, TokenStates | None]

_HEAD = struct.Struct("<II")
_PART = 500  # keys asked for at a time


def cached(embedder: Embedder, folder: Path) -> Embedder:
    """Return the embedder with a memory below ``folder``, which is made."""
    return CachedTokenEmbedder(embedder, folder) if has_tokens(embedder) else CachedEmbedder(embedder, folder)


class CachedEmbedder:
    """Satisfies ``knowledge.embedding.base.Embedder``. Several processes may share a folder."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self.spec: EmbeddingSpec = embedder.spec
        self._queries: QueryCache[Made] = QueryCache()
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.spec.space}-{self.spec.precision}.sqlite3"
        self._file = sqlite3.connect(path, timeout=60, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")  # lost entries are made again
        self._file.execute("CREATE TABLE IF NOT EXISTS made (key BLOB PRIMARY KEY, value BLOB NOT NULL)")

    def close(self) -> None:
        self._file.close()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        found = self._all("passage", texts, lambda missing: [(v, None) for v in self._embedder.embed_passages(missing)])
        return np.stack([vector for vector, _ in found]) if found else self._embedder.embed_passages(())

    def embed_query(self, text: str) -> Vector:
        return self._queries.get(text, self._query)[0]

    def _query(self, text: str) -> Made:
        return self._all("query", [text], lambda _: [self._make_query(text)])[0]

    def _make_query(self, text: str) -> Made:
        return self._embedder.embed_query(text), None

    def _all(self, kind: str, texts: Sequence[str], make: Callable[[list[str]], list[Made]]) -> list[Made]:
        """Return what is known of each text in the order given; what is missing is made and remembered."""
        keys = [self._key(kind, text) for text in texts]
        known = self._known(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            values = [_pack(made) for made in make(list(missing.values()))]
            fresh = dict(zip(missing, values, strict=True))
            with self._lock, self._file:
                self._file.executemany("INSERT OR REPLACE INTO made VALUES (?, ?)", fresh.items())
            known |= fresh
        return [_unpack(known[key], self.spec.dimension) for key in keys]

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for at in range(0, len(keys), _PART):
            part = keys[at : at + _PART]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows = self._file.execute(f"SELECT key, value FROM made WHERE key IN ({marks})", part)  # noqa: S608
                found.update(rows.fetchall())
        return found

    def _key(self, kind: str, text: str) -> bytes:
        spec = self.spec
        parts = (kind, spec.model, str(spec.dimension), spec.model_hash, spec.precision, str(spec.max_tokens), text)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


class CachedTokenEmbedder(CachedEmbedder):
    """Satisfies ``knowledge.embedding.base.TokenEmbedder``."""

    def __init__(self, embedder: TokenEmbedder, folder: Path) -> None:
        super().__init__(embedder, folder)
        self._tokens = embedder

    def embed_with_tokens(self, texts: Sequence[str]) -> tuple[Vector, list[TokenStates]]:
        def make(missing: list[str]) -> list[Made]:
            vectors, states = self._tokens.embed_with_tokens(missing)
            return list(zip(vectors, states, strict=True))

        found = self._all("tokens", texts, make)
        if not found:
            return self._tokens.embed_with_tokens(())
        return np.stack([vector for vector, _ in found]), [states for _, states in found if states is not None]

    def query_tokens(self, text: str) -> TokenStates:
        states = self._queries.get(text, self._query)[1]
        assert states is not None
        return states

    def _make_query(self, text: str) -> Made:
        return self._tokens.embed_query(text), self._tokens.query_tokens(text)


def _pack(made: Made) -> bytes:
    vector, tokens = made
    head = _HEAD.pack(tokens is not None, len(tokens.spans) if tokens else 0)
    parts = [head, np.asarray(vector, dtype=np.float32).tobytes()]
    if tokens is not None:
        parts += [tokens.spans.astype(np.int32).tobytes(), tokens.states.astype(np.float16).tobytes()]
    return b"".join(parts)


def _unpack(data: bytes, dimension: int) -> Made:
    has_states, count = _HEAD.unpack_from(data)
    at = _HEAD.size
    vector = np.frombuffer(data, np.float32, dimension, at)
    if not has_states:
        return vector, None
    at += 4 * dimension
    spans = np.frombuffer(data, np.int32, 2 * count, at).reshape(count, 2)
    states = np.frombuffer(data, np.float16, count * dimension, at + 8 * count).reshape(count, dimension)
    return vector, TokenStates(spans=spans, states=states.astype(np.float32))
