"""A reranker without a model: do neighbouring words of the question stand close together in the passage?

Chosen on eight sets of questions (docs/retrieval.md) among: share of the question covered, pairs of words in order or
near each other, the best window of 8 to 32 words, numbers and identifiers, title and headings. Pairs near each other
helped (mean MRR@10 .849 -> .860) and hurt no set measurably; windows, coverage and headings helped some sets and hurt
others; numbers changed nothing beyond what the keyword score gives them. One feature with one round weight has nothing
that could be fitted to one kind of question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

from knowledge.reranking.base import RerankCandidate, RerankQuery

__all__ = ["FeatureReranker", "closeness", "neighbours"]

REACH = 3
"""Index terms between which two words count as close, in either order; 2 to 8 are alike."""

Pairs = Mapping[tuple[str, str], float]


class FeatureReranker:
    """Takes about half a millisecond for 50 passages."""

    name: ClassVar[str] = "features"
    weight: ClassVar[float] = 0.25  # 0.2 to 0.4 are alike

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return 0..1 for each candidate; None where the last turn has no two words to look for."""
        pairs = neighbours(query.in_order(), shares=query.terms)
        if not pairs:
            return None
        return [closeness(pairs, candidate.terms.split(" ")) for candidate in candidates]


def neighbours(terms: Iterable[str], *, shares: Mapping[str, float]) -> Pairs:
    """Return the pairs of words that follow each other, with what each counts; together 1.

    A pair counts what its words count for the keyword score. Of the last turn only: the pairs of the turn before,
    which the search weighs too, made follow-ups worse.
    """
    known = [term for term in terms if term in shares]
    weights = {(one, two): shares[one] + shares[two] for one, two in pairwise(known) if one != two}
    total = sum(weights.values())
    return {pair: weight / total for pair, weight in weights.items()} if total > 0 else {}


def closeness(pairs: Pairs, words: Sequence[str]) -> float:
    """Return 0..1: what those pairs count that stand within ``REACH`` of each other somewhere in a passage."""
    wanted = {term for pair in pairs for term in pair}
    places: dict[str, set[int]] = {}
    for place, word in enumerate(words):
        if word in wanted:
            places.setdefault(word, set()).add(place)
    near = [*range(-REACH, 0), *range(1, REACH + 1)]
    found = (
        weight
        for (one, two), weight in pairs.items()
        if one in places
        and two in places
        and any(place + step in places[two] for place in places[one] for step in near)
    )
    return min(1.0, sum(found, 0.0))
