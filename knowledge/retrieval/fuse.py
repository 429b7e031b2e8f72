"""Put the two searches on one scale."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from knowledge.retrieval.base import RetrievalProfile
from knowledge.retrieval.keyword import keyword_scores
from knowledge.retrieval.question import Question
from knowledge.retrieval.search import Candidates

__all__ = ["Scored", "fuse", "score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Candidates with what the search gives them, 0..1, by key."""

    candidates: Candidates
    keyword: Mapping[str, float]
    fused: Mapping[str, float]

    def scores(self, key: str) -> dict[str, float]:
        """Return vector (unless its model could not be asked), keyword and fused score."""
        cosines = self.candidates.cosines
        vector = {"vector": cosines[key]} if key in cosines else {}
        return {**vector, "keyword": self.keyword[key], "fused": self.fused[key]}

    def only(self, keys: Collection[str]) -> Scored:
        hits, cosines = self.candidates.hits, self.candidates.cosines
        part = Candidates(
            hits={key: hits[key] for key in keys}, cosines={key: cosines[key] for key in keys if key in cosines}
        )
        return Scored(candidates=part, keyword=self.keyword, fused=self.fused)

    def batches(self, *, first: int) -> Iterator[Scored]:
        """Yield the candidates best first: joining the rows of all would cost more than the search itself,
        and the rest is needed only where much of the best is repeated or no longer live."""
        keys = sorted(self.candidates.hits, key=lambda key: (-self.fused[key], key))
        for part in (keys[:first], keys[first:]):
            if part:
                yield self.only(part)


def score(candidates: Candidates, *, question: Question, profile: RetrievalProfile) -> Scored:
    keyword = keyword_scores(
        candidates.hits, weights=question.weights, statistics=question.statistics, profile=profile
    )  # fmt: skip
    fused = fuse(keyword, candidates.cosines, keyword_weight=profile.keyword_weight)
    return Scored(candidates=candidates, keyword=keyword, fused=fused)


def fuse(keyword: Mapping[str, float], cosine: Mapping[str, float], *, keyword_weight: float) -> dict[str, float]:
    """Return ``w * bm25 / ceiling + (1 - w) * cosine``, 0..1, for every key of either.

    What has no cosine, because its embedding model could not be asked, has its keyword score alone: with half of it
    the documents of that model would stand below all others, and most of them below the floor.

    Adding scores beats reciprocal rank fusion (k = 60) on seven retrieval sets, mean MRR .817 against
    .789, and is never clearly below BM25 alone as rank fusion is; weights .4 to .6 are alike.
    """
    return {
        key: keyword_weight * keyword.get(key, 0.0) + (1 - keyword_weight) * max(0.0, min(1.0, cosine[key]))
        if key in cosine
        else keyword[key]
        for key in keyword.keys() | cosine.keys()
    }
