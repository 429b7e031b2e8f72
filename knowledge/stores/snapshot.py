"""A table of the embedded store held in memory, searched exactly.

LanceDB spends about 5 ms of planning on every query however small the table is. Below some tens of
thousands of rows a matrix product and an inverted index in numpy answer in well under one, with the
same records; the store uses a snapshot only while it is of the table's newest version.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.types import Hit, Scope, Vector

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

K1, B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class _Postings:
    codes: dict[str, int]
    offsets: Rows  # of each code into rows and counts
    rows: Rows
    counts: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.float32]  # terms of each row


class Snapshot:
    """The rows of one version of one table. Immutable; safe to share between threads."""

    def __init__(self, table: Any, *, version: Hashable) -> None:
        """Take an Arrow table with the store's columns."""
        table = table.combine_chunks()
        self.version = version
        self.size: int = table.num_rows
        self._columns = {name: _single(table.column(name)) for name in _TEXT_COLUMNS}
        vectors = _single(table.column("vector"))
        self._vectors = np.asarray(vectors.flatten(), dtype=np.float32).reshape(self.size, vectors.type.list_size)
        self._norms = np.maximum(np.linalg.norm(self._vectors, axis=1), np.float32(1e-12))
        self._codes = {name: _encode(_single(table.column(name))) for name in _FILTER_COLUMNS}
        self._postings: _Postings | None = None
        self._masked: tuple[tuple[Scope, frozenset[str]], Mask] | None = None  # of the latest search; replaced whole
        self._lock = threading.Lock()

    def search_vector(self, vector: Vector, *, generations: Collection[str], limit: int, scope: Scope) -> list[Hit]:
        """Return the nearest rows of the scope by cosine."""
        rows = np.flatnonzero(self._mask(generations, scope))
        if not len(rows):
            return []
        query = np.asarray(vector, dtype=np.float32)
        scores = (self._vectors @ query) / (self._norms * max(float(np.linalg.norm(query)), 1e-12))
        return self._hits(*_top(rows, scores[rows], limit))

    def search_keyword(
        self, terms: Sequence[str], *, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        """Return the best rows of the scope by BM25 (statistics of the rows searched)."""
        mask = self._mask(generations, scope)
        population = int(mask.sum())
        if not population:
            return []
        postings = self._inverted()
        norm = K1 * (1 - B + B * postings.lengths / max(float(postings.lengths[mask].mean()), 1e-9))
        scores = np.zeros(self.size, dtype=np.float32)
        for term in dict.fromkeys(terms):
            code = postings.codes.get(term)
            if code is None:
                continue
            part = slice(postings.offsets[code], postings.offsets[code + 1])
            inside = mask[postings.rows[part]]
            rows, counts = postings.rows[part][inside], postings.counts[part][inside]
            idf = np.log1p((population - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += idf * counts * (K1 + 1) / (counts + norm[rows])
        found = np.flatnonzero(scores)
        return self._hits(*_top(found, scores[found], limit), vectors=True)

    def _mask(self, generations: Collection[str], scope: Scope) -> Mask:
        """Return which rows may be found; the second search of a question has the scope of the first."""
        key = (scope, frozenset(generations))
        known = self._masked
        if known is None or known[0] != key:
            self._masked = known = (key, self._made_mask(generations, scope))
        return known[1]

    def _made_mask(self, generations: Collection[str], scope: Scope) -> Mask:
        mask = self._among("knowledge_base", scope.knowledge_bases) & self._among("generation", generations)
        if scope.documents is not None:
            mask &= self._among("document", scope.documents)
        if scope.without:
            mask &= ~self._among("document", scope.without)
        return mask

    def _among(self, column: str, wanted: Collection[str]) -> Mask:
        codes, values = self._codes[column]
        accepted = np.zeros(len(values) + 1, dtype=np.bool_)
        for value in wanted:
            accepted[values.get(value, -1)] = True
        accepted[-1] = False  # where unknown values went
        return accepted[codes]

    def _inverted(self) -> _Postings:
        with self._lock:
            if self._postings is None:
                self._postings = _invert(self._columns["terms"])
            return self._postings

    def _hits(self, rows: Rows, scores: npt.NDArray[np.float32], *, vectors: bool = False) -> list[Hit]:
        columns = [self._columns[name].take(rows).to_pylist() for name in _TEXT_COLUMNS]
        return [
            Hit(key=key, document=document, version=version, knowledge_base=base, text=text, terms=terms,
                score=float(score), vector=self._vectors[row] if vectors else None)
            for row, score, key, document, version, base, text, terms in zip(rows, scores, *columns, strict=True)
        ]  # fmt: skip


_TEXT_COLUMNS = ("key", "document", "version", "knowledge_base", "text", "terms")
_FILTER_COLUMNS = ("knowledge_base", "generation", "document")


def _single(column: Any) -> Any:
    """Return a chunked column as one array."""
    import pyarrow as pa

    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _encode(column: Any) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
    encoded = column.dictionary_encode()
    return np.asarray(encoded.indices), {value: code for code, value in enumerate(encoded.dictionary.to_pylist())}


def _invert(terms: Any) -> _Postings:
    """Build postings without a loop over terms: encode, sort (term, row) pairs, count equal ones."""
    import pyarrow.compute as pc

    split = pc.split_pattern(terms, " ")
    lengths = np.asarray(pc.list_value_length(split), dtype=np.float32)
    codes, values = _encode(pc.list_flatten(split))
    parents = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths.astype(np.int64))
    pairs, counts = np.unique(codes.astype(np.int64) * len(lengths) + parents, return_counts=True)
    term_of_pair, rows = np.divmod(pairs, max(len(lengths), 1))
    offsets = np.searchsorted(term_of_pair, np.arange(len(values) + 1))
    return _Postings(values, offsets, rows, counts.astype(np.float32), lengths)


def _top(rows: Rows, scores: npt.NDArray[np.float32], limit: int) -> tuple[Rows, npt.NDArray[np.float32]]:
    """Return the best ``limit`` rows, ties by row number."""
    if limit < len(rows):
        kept = np.argpartition(-scores, limit)[:limit]
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]
