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

from knowledge.analysis import variants
from knowledge.embedding.base import TokenEmbedder, TokenStates
from knowledge.languages import ENGLISH
from knowledge.reranking.base import RerankCandidate, RerankQuery, passage_text
from knowledge.reranking.features import FeatureReranker
from knowledge.reranking.token_vectors import TokenVectors, compress, word_at
from knowledge.types import Vector

__all__ = ["LateInteraction", "tokens_of"]

logger = logging.getLogger(__name__)

Stored = Callable[[Sequence[RerankCandidate]], Sequence[TokenVectors | None]]
"""Token vectors of candidates as they were stored; None where there are none."""

SENTENCE_WEIGHT = 0.25
"""What the best sentence counts in place of as much of the whole chunk's cosine; .25 to .5 are alike."""

CLOSENESS_WEIGHT = 0.2
"""What neighbouring words of the question count that stand close together in the passage."""

FOLLOW_UP = 0.25
"""What the pieces of a follow-up count. It leaves out what it speaks of, which the search has from the turns
before: at full weight they undo the search's work (MRR .942 without them, .915 with, .965 with a quarter)."""

PIECE_FLOOR = 0.1
"""Weight of a word piece beside the idf of its word: stop words still decide between equals."""

MADE_ANEW = 10
"""Passages without stored vectors that are embedded during a search, 20 ms each; with more, words alone are judged."""


def tokens_of(
    embedder: TokenEmbedder, texts: Sequence[tuple[str, int]], states: Sequence[TokenStates] | None = None
) -> list[TokenVectors]:
    """Return the token vectors of search texts, each given with the length of its title and headings.

    ``states`` are those of the texts where they are known already.
    """
    if states is None:
        _, states = embedder.embed_with_tokens([text for text, _ in texts])
    return [compress(found, text, prefix=prefix) for (text, prefix), found in zip(texts, states, strict=True)]


class LateInteraction:
    name: ClassVar[str] = "late"
    weight: ClassVar[float] = 1.0

    def __init__(self, embedder: TokenEmbedder, *, stored: Stored) -> None:
        self._embedder, self._stored = embedder, stored
        self._closeness = FeatureReranker()

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return the weighted mean of each piece's best cosine, and the gain of the best sentence.

        Where too many passages lack token vectors, neighbouring words alone are judged.
        """
        near = self._closeness.scores(query, candidates)
        found = self._vectors(candidates)
        if found is None:
            return None if near is None else [CLOSENESS_WEIGHT * score for score in near]
        tokens = self._embedder.query_tokens(query.text)
        if not len(tokens.states) or not found:
            return None
        vectors = [chunk.vectors() for chunk in found]
        weights = piece_weights(tokens, query.text, query.idf, languages=query.languages)
        scores = max_similarity(_unit(tokens.states), weights, vectors)
        if near is not None:
            scores += np.float32(CLOSENESS_WEIGHT) * np.array(near, dtype=np.float32)
        if query.previous:
            scores *= np.float32(FOLLOW_UP)
        if query.vector is not None:
            cosines = np.array([candidate.cosine for candidate in candidates], dtype=np.float32)
            scores += SENTENCE_WEIGHT * (best_sentences(query.vector, found, vectors, otherwise=cosines) - cosines)
        return [float(score) for score in scores]

    def _vectors(self, candidates: Sequence[RerankCandidate]) -> list[TokenVectors] | None:
        found = list(self._stored(candidates))
        missing = [row for row, vectors in enumerate(found) if vectors is None]
        if len(missing) > MADE_ANEW:
            logger.info(
                "%d of %d passages have no token vectors: `manage.py rebuild` makes them", len(missing), len(found)
            )
            return None
        made = tokens_of(self._embedder, [_prefixed(candidates[row]) for row in missing]) if missing else []
        for row, vectors in zip(missing, made, strict=True):
            found[row] = vectors
        return [vectors for vectors in found if vectors is not None]


def piece_weights(
    tokens: TokenStates, text: str, idf: Mapping[str, float], *, languages: Sequence[str] = (ENGLISH,)
) -> Vector:
    """Return ``(n,)``: 0 for punctuation, else ``PIECE_FLOOR`` and the idf of the word a piece is part of."""
    weights = np.zeros(len(tokens.spans), dtype=np.float32)
    for number, (start, end) in enumerate(tokens.spans.tolist()):
        if any(c.isalnum() for c in text[start:end]):
            names = variants(word_at(text, start, end), languages=languages)
            known = [idf.get(term, 0.0) for name in names for term in name]
            weights[number] = PIECE_FLOOR + max(known, default=0.0)
    return weights


def max_similarity(query: Vector, weights: Vector, chunks: Sequence[Vector]) -> Vector:
    """Return of each chunk, given as its vectors, the weighted mean over the query's vectors of their best cosine,
    0..1; 0 without tokens."""
    total = float(weights.sum())
    counts = np.array([len(vectors) for vectors in chunks], dtype=np.int64)
    filled = np.flatnonzero(counts)
    scores = np.zeros(len(chunks), dtype=np.float32)
    if total > 0 and len(filled):
        together = np.concatenate([chunks[number] for number in filled.tolist()])
        first = np.cumsum(counts[filled]) - counts[filled]
        best = np.maximum.reduceat(together @ query.T, first, axis=0)
        scores[filled] = np.clip(best, 0, 1) @ (weights / total)
    return scores


def best_sentences(
    query: Vector, chunks: Sequence[TokenVectors], vectors: Sequence[Vector], *, otherwise: Vector
) -> Vector:
    """Return of each chunk, given with its vectors, the cosine of its sentence nearest to the query's vector, or
    ``otherwise``."""
    scores = otherwise.copy()
    norm = float(np.linalg.norm(query))
    for number, chunk in enumerate(chunks):
        if len(chunk.sentences) and norm > 0:
            pooled = np.add.reduceat(vectors[number], chunk.sentences.astype(np.int64), axis=0)
            lengths = np.maximum(np.linalg.norm(pooled, axis=1), 1e-9)
            scores[number] = float((pooled @ query / lengths).max()) / norm
    return scores


def _unit(states: Vector) -> Vector:
    unit: Vector = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-9)
    return unit


def _prefixed(candidate: RerankCandidate) -> tuple[str, int]:
    text = passage_text(candidate)
    return text, len(text) - len(candidate.text)
