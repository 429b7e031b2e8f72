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

from knowledge.analysis import variants
from knowledge.embedding.base import TokenEmbedder, TokenStates
from knowledge.languages import ENGLISH
from knowledge.reranking.base import RerankCandidate, RerankQuery, passage_text
from knowledge.reranking.features import FeatureReranker
from knowledge.reranking.token_vectors import Stack, TokenVectors, compress, word_at
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
        stack = Stack(found)
        weights = piece_weights(tokens, query.text, query.idf, languages=query.languages)
        scores = max_similarity(_unit(tokens.states), weights, stack, chunks=len(found))
        if near is not None:
            scores += np.float32(CLOSENESS_WEIGHT) * np.array(near, dtype=np.float32)
        if query.previous:
            scores *= np.float32(FOLLOW_UP)
        if query.vector is not None:
            cosines = np.array([candidate.cosine for candidate in candidates], dtype=np.float32)
            scores += SENTENCE_WEIGHT * (best_sentences(query.vector, found, stack, otherwise=cosines) - cosines)
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


def max_similarity(query: Vector, weights: Vector, tokens: Stack, *, chunks: int) -> Vector:
    """Return of each chunk the weighted mean over the query's vectors of their best cosine, 0..1; 0 without tokens."""
    scores = np.zeros(chunks, dtype=np.float32)
    counted = np.flatnonzero(weights)
    if len(counted) and len(tokens):
        best = np.maximum.reduceat(tokens.products(query[counted]), tokens.first, axis=0)
        scores[tokens.filled] = np.clip(best, 0, 1) @ (weights[counted] / weights.sum())
    return scores


def best_sentences(query: Vector, chunks: Sequence[TokenVectors], tokens: Stack, *, otherwise: Vector) -> Vector:
    """Return of each chunk the cosine of its sentence nearest to the query's vector, or ``otherwise``."""
    scores = otherwise.copy()
    norm = float(np.linalg.norm(query))
    if not norm or not len(tokens):
        return scores
    starts, owners = _sentences(chunks, tokens)
    totals = np.add.reduceat(tokens.products(query[None]).ravel(), starts)
    cosines = totals / np.maximum(tokens.lengths(starts), 1e-9) / np.float32(norm)
    told = owners >= 0
    best = np.full(len(scores), -np.inf, dtype=np.float32)
    np.maximum.at(best, owners[told], cosines[told])
    return np.where(np.isfinite(best), best, scores)


def _sentences(chunks: Sequence[TokenVectors], tokens: Stack) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut the stack into sentences: the first row of each part, and whose sentence it is; -1 for title and headings."""
    starts: list[int] = []
    owners: list[int] = []
    for number, first in zip(tokens.filled.tolist(), tokens.first.tolist(), strict=True):
        sentences = chunks[number].sentences.tolist()
        if not sentences or sentences[0] > 0:
            starts.append(first)
            owners.append(-1)
        starts += [first + sentence for sentence in sentences]
        owners += [number] * len(sentences)
    return np.array(starts, dtype=np.int64), np.array(owners, dtype=np.int64)


def _unit(states: Vector) -> Vector:
    unit: Vector = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-9)
    return unit


def _prefixed(candidate: RerankCandidate) -> tuple[str, int]:
    text = passage_text(candidate)
    return text, len(text) - len(candidate.text)
