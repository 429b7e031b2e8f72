"""Late interaction: each word piece of the question looks for its best match among those of the passage.

With the token vectors of the embedding model that found the passages, stored when they were indexed, so
that nothing but the question runs through a model. After Khattab and Zaharia 2020 (ColBERT), here with the
small model's own states, weighted by how rare a word is. Beside it, the best sentence: the vector of a
sentence is the mean of its tokens' states, and facts live in sentences where topics live in chunks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from knowledge.analysis import terms as analyse
from knowledge.chunking.base import search_text
from knowledge.embedding.base import TokenEmbedder, TokenStates
from knowledge.reranking.base import RerankCandidate, RerankQuery
from knowledge.reranking.projection import projection
from knowledge.reranking.token_vectors import SCALE, TokenVectors, compress, sentence_starts
from knowledge.types import Vector

__all__ = ["LateInteraction", "tokens_of"]

logger = logging.getLogger(__name__)

Stored = Callable[[Sequence[RerankCandidate]], Sequence[TokenVectors | None]]
"""Token vectors of candidates as they were stored; None where there are none."""

SENTENCE_WEIGHT = 0.25
"""What the best sentence counts in place of as much of the whole chunk's cosine."""

PIECE_FLOOR = 0.1
"""Weight of a word piece beside the idf of its word: stop words still decide between equals."""

MADE_ANEW = 10
"""Passages without stored vectors that are embedded during a search, 20 ms each; with more there is no opinion."""


def tokens_of(
    embedder: TokenEmbedder, texts: Sequence[tuple[str, int]], states: Sequence[TokenStates] | None = None
) -> list[TokenVectors]:
    """Return the token vectors of search texts, each given with the length of its title and headings.

    ``states`` are those of the texts where they are known already.
    """
    if states is None:
        _, states = embedder.embed_with_tokens([text for text, _ in texts])
    return [
        compress(found, sentences=sentence_starts(found, text, prefix=prefix), projection=projection())
        for (text, prefix), found in zip(texts, states, strict=True)
    ]


class LateInteraction:
    name: ClassVar[str] = "late"
    weight: ClassVar[float] = 1.0

    def __init__(self, embedder: TokenEmbedder, *, stored: Stored) -> None:
        self._embedder, self._stored = embedder, stored

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return the weighted mean of each piece's best cosine, and the gain of the best sentence."""
        found = self._vectors(candidates)
        if found is None:
            return None
        tokens = self._embedder.query_tokens(query.text)
        if not len(tokens.states):
            return None
        matched = max_similarity(_projected(tokens.states), piece_weights(tokens, query.text, query.idf), found)
        if query.vector is None:
            return matched.tolist()  # type: ignore[no-any-return]
        cosines = np.array([candidate.cosine for candidate in candidates], dtype=np.float32)
        best = best_sentences(query.vector @ projection(), found, otherwise=cosines)
        return (matched + SENTENCE_WEIGHT * (best - cosines)).tolist()  # type: ignore[no-any-return]

    def _vectors(self, candidates: Sequence[RerankCandidate]) -> list[TokenVectors] | None:
        found = list(self._stored(candidates))
        missing = [row for row, vectors in enumerate(found) if vectors is None]
        if len(missing) > MADE_ANEW:
            logger.info(
                "%d of %d passages have no token vectors: `manage.py rebuild` makes them", len(missing), len(found)
            )
            return None
        made = tokens_of(self._embedder, [_text(candidates[row]) for row in missing]) if missing else []
        for row, vectors in zip(missing, made, strict=True):
            found[row] = vectors
        return [vectors for vectors in found if vectors is not None]


def piece_weights(tokens: TokenStates, text: str, idf: Mapping[str, float]) -> Vector:
    """Return ``(n,)``: 0 for punctuation, else ``PIECE_FLOOR`` and the idf of the word a piece is part of."""
    weights = np.zeros(len(tokens.spans), dtype=np.float32)
    for number, (start, end) in enumerate(tokens.spans.tolist()):
        if any(c.isalnum() for c in text[start:end]):
            known = [idf.get(term, 0.0) for term in analyse(_word(text, start, end))]
            weights[number] = PIECE_FLOOR + max(known, default=0.0)
    return weights


def _word(text: str, start: int, end: int) -> str:
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[start:end]


def max_similarity(query: Vector, weights: Vector, chunks: Sequence[TokenVectors]) -> Vector:
    """Return of each chunk the weighted mean over the query's vectors of their best cosine, 0..1; 0 without tokens."""
    total = float(weights.sum())
    filled, rows, vectors = _joined(chunks)
    scores = np.zeros(len(chunks), dtype=np.float32)
    if total > 0 and len(filled):
        best = np.maximum.reduceat(vectors @ query.T, rows, axis=0)
        scores[filled] = np.clip(best, 0, 1) @ (weights / total)
    return scores


def best_sentences(query: Vector, chunks: Sequence[TokenVectors], *, otherwise: Vector) -> Vector:
    """Return of each chunk the cosine of the query's vector with its nearest sentence, or ``otherwise``."""
    scores = otherwise.copy()
    norm = float(np.linalg.norm(query))
    for number, chunk in enumerate(chunks):
        if len(chunk.sentences) and norm > 0:
            weighted = chunk.vectors.astype(np.float32) * chunk.lengths.astype(np.float32)[:, None]
            pooled = np.add.reduceat(weighted, chunk.sentences.astype(np.int64), axis=0)
            lengths = np.maximum(np.linalg.norm(pooled, axis=1), 1e-9)
            scores[number] = float((pooled @ query / lengths).max()) / norm
    return scores


def _joined(chunks: Sequence[TokenVectors]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Vector]:
    """Return which chunks have tokens, the first row of each of them, and all their vectors as float32."""
    counts = np.array([len(chunk.vectors) for chunk in chunks], dtype=np.int64)
    filled = np.flatnonzero(counts)
    rows = np.cumsum(counts[filled]) - counts[filled]
    vectors: Vector = np.concatenate([chunk.vectors for chunk in chunks]).astype(np.float32) / np.float32(SCALE)
    return filled, rows, vectors


def _projected(states: Vector) -> Vector:
    projected = states @ projection()
    unit: Vector = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9)
    return unit


def _text(candidate: RerankCandidate) -> tuple[str, int]:
    text = search_text(title=candidate.title, heading_path=candidate.heading_path, text=candidate.text)
    return text, len(text) - len(candidate.text)
