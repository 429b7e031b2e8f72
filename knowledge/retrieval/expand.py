"""Search a question in more words than its own: those a language model wrote, or else those of the best passages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from knowledge.retrieval.base import CorpusStatistics
from knowledge.retrieval.fuse import Scored
from knowledge.retrieval.keyword import idf
from knowledge.retrieval.search import Candidates

__all__ = ["feedback_terms", "joined", "together"]

PASSAGES = 5
"""The best passages whose terms are looked at."""
TERMS = 8
"""That are taken from them."""
LOOKED_UP = 500
"""Distinct terms whose frequency is asked for."""


def joined(question: Scored, others: Sequence[Scored], *, weight: float) -> Scored:
    """Return all candidates with ``(fused + weight * mean of the other wordings) / (1 + weight)``.

    What one of them did not find has the lowest score that one gave: it would have come later still.
    """
    if not others:
        return question
    lists = [one.fused for one in (question, *others)]
    lowest = [min(fused.values(), default=0.0) for fused in lists]
    keys = {key for fused in lists for key in fused}
    fused = {}
    for key in keys:
        own, *rest = (scores.get(key, least) for scores, least in zip(lists, lowest, strict=True))
        fused[key] = (own + weight * math.fsum(rest) / len(rest)) / (1 + weight)
    return _union([question, *others], fused)


def together(parts: Sequence[Scored]) -> Scored:
    """Return the candidates of several questions, each with its best score."""
    fused: dict[str, float] = {}
    for one in parts:
        for key, score in one.fused.items():
            fused[key] = max(score, fused.get(key, 0.0))
    return _union(parts, fused)


def _union(parts: Sequence[Scored], fused: Mapping[str, float]) -> Scored:
    """Join the candidates; cosine and keyword score are those of the first that has them."""
    latest_first = list(reversed(parts))
    return Scored(
        candidates=Candidates(
            hits={key: hit for one in latest_first for key, hit in one.candidates.hits.items()},
            cosines={key: value for one in latest_first for key, value in one.candidates.cosines.items()},
        ),
        keyword={key: value for one in latest_first for key, value in one.keyword.items()},
        fused=fused,
    )


def feedback_terms(
    scored: Scored, *, known: Mapping[str, float], count: Callable[[Sequence[str]], CorpusStatistics]
) -> tuple[str, ...]:
    """Return the terms that make the best passages differ from the rest, without those ``known`` already.

    Pseudo relevance feedback: each passage gives its terms ``score * tf / length * idf`` (Lavrenko and Croft 2001, in
    the form of RM3, with idf in the place of the language model of the collection).
    """
    best = sorted(scored.fused, key=lambda key: (-scored.fused[key], key))[:PASSAGES]
    shares: dict[str, float] = {}
    for key in best:
        terms = scored.candidates.hits[key].terms.split(" ")
        for term in terms:
            shares[term] = shares.get(term, 0.0) + scored.fused[key] / len(terms)
    new = sorted((term for term in shares if term and term not in known), key=lambda term: (-shares[term], term))
    statistics = count(new[:LOOKED_UP])
    # A term of one passage alone finds nothing that is not found yet.
    worth = {
        term: shares[term] * idf(term, statistics) for term in new if statistics.document_frequency.get(term, 0) > 1
    }
    return tuple(sorted(worth, key=lambda term: (-worth[term], term))[:TERMS])
