"""Statements and sources read by the vectors of their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from threading import Lock

from chatapp.answering.verification.signals import Place, by_vectors
from chatapp.answering.verification.vectors import SourceVectors, may_mean_the_same, source_vectors, statement_vectors
from knowledge.embedding.table import PieceTable

__all__ = ["Reader"]

KEPT_SOURCES = 512


class Reader:
    """Safe to use from several threads. Sources are remembered: an answer cites the same ones again."""

    def __init__(self, table: PieceTable) -> None:
        self._table = table
        self._sources: dict[bytes, SourceVectors] = {}
        self._lock = Lock()

    def read(self, claims: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[Mapping[str, float], Place | None]]:
        """Return of each statement and its sources the signals, and the place nearest in meaning.

        :raises EmbeddingFailed: the table cannot be read.
        """
        sources = self._known([source for _, given in claims for source in given])
        statements = statement_vectors([statement for statement, _ in claims], table=self._table)
        return [
            by_vectors(vectors, [sources[_key(source)] for source in given])
            for (_, given), vectors in zip(claims, statements, strict=True)
        ]

    def alike(self, one: str, two: str) -> bool:
        """Tell whether two words may mean the same.

        :raises EmbeddingFailed: the table cannot be read.
        """
        return may_mean_the_same(one, two, table=self._table)

    def _known(self, texts: Sequence[str]) -> dict[bytes, SourceVectors]:
        wanted = {_key(text): text for text in texts}
        with self._lock:
            known = {key: self._sources[key] for key in wanted if key in self._sources}
        missing = {key: text for key, text in wanted.items() if key not in known}
        made = dict(zip(missing, source_vectors(list(missing.values()), table=self._table), strict=True))
        with self._lock:
            for key, vectors in {**known, **made}.items():  # those used last go last
                self._sources.pop(key, None)
                self._sources[key] = vectors
            while len(self._sources) > KEPT_SOURCES:
                del self._sources[next(iter(self._sources))]
        return {**known, **made}


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
