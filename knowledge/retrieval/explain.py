"""Say of every candidate how it was ranked and what became of it, for people who ask why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from knowledge.retrieval.assemble import judge, to_passages
from knowledge.retrieval.base import CorpusStatistics, LiveRows, RetrievalProfile
from knowledge.retrieval.keyword import idf
from knowledge.retrieval.search import Candidates, live_only
from knowledge.types import Considered, Explanation, Fate, Passage, Query, Scope

__all__ = ["explain"]

RanksOf = Callable[[str], dict[str, int]]


def explain(
    ranked: Sequence[Passage], returned: Sequence[Passage], *, candidates: Candidates, keyword: Mapping[str, float],
    fused: Mapping[str, float], weights: Mapping[str, float], statistics: CorpusStatistics, live: LiveRows,
    scope: Scope, query: Query, profile: RetrievalProfile,
) -> Explanation:  # fmt: skip
    """Return the terms that were searched and every candidate with its scores, ranks and fate.

    ``ranked`` are the live passages that were assembled, in that order, and ``returned`` what came of them. Candidates
    that were not needed any more are joined against live rows only here, so that they too can be named.
    """
    ranks = _ranks(cosine=candidates.cosines, keyword=keyword, fused=fused, ranked=ranked)
    shown = [
        _shown(passage, fate, by, ranks=ranks, returned=returned)
        for passage, fate, by in judge(ranked, query=query, profile=profile)
    ]
    known = {passage.key for passage in ranked}
    hits = {key: hit for key, hit in candidates.hits.items() if key not in known}
    rows = live_only(Candidates(hits=hits, cosines=candidates.cosines), live=live, scope=scope)
    rest = to_passages(rows, hits=hits, fused=fused, keyword=keyword, cosine=candidates.cosines)
    shown += [
        Considered(
            key=passage.key, fate=Fate.BELOW_FLOOR if passage.score < profile.floor else Fate.BEYOND_LIMIT,
            scores=passage.scores, ranks=ranks(passage.key), passage=passage,
        )
        for passage in rest
    ]  # fmt: skip
    gone = hits.keys() - {passage.key for passage in rest}
    shown += [
        Considered(
            key=key, fate=Fate.NOT_LIVE, ranks=ranks(key),
            scores={"vector": candidates.cosines[key], "keyword": keyword[key], "fused": fused[key]},
        )
        for key in sorted(gone, key=lambda key: (-fused[key], key))
    ]  # fmt: skip
    return Explanation(
        terms=dict(weights), idf={term: idf(term, statistics) for term in weights}, chunks=statistics.chunks,
        considered=tuple(shown),
    )  # fmt: skip


def _shown(passage: Passage, fate: Fate, by: str, *, ranks: RanksOf, returned: Iterable[Passage]) -> Considered:
    """Name what was joined, and lead repeats on to the passage that was returned."""
    if fate in (Fate.RETURNED, Fate.REPEATED):
        by = _holder(by or passage.key, passage, returned)
        if fate is Fate.RETURNED and by != passage.key:
            fate = Fate.JOINED
    return Considered(
        key=passage.key, fate=fate, scores=passage.scores, ranks=ranks(passage.key), passage=passage,
        by="" if by == passage.key else by,
    )  # fmt: skip


def _holder(key: str, passage: Passage, returned: Iterable[Passage]) -> str:
    """Return the key of the returned passage that has this key, else of the one that holds the passage."""
    holder = ""
    for other in returned:
        if other.key == key:
            return key
        inside = other.version_id == passage.version_id and other.start <= passage.start and passage.end <= other.end
        if inside or (not holder and passage.text in other.text):  # the latter: a copy, whose better one was joined
            holder = other.key
    return holder


def _ranks(
    *, cosine: Mapping[str, float], keyword: Mapping[str, float], fused: Mapping[str, float],
    ranked: Sequence[Passage],
) -> RanksOf:  # fmt: skip
    """Return what gives the ranks of a key: by each score among all candidates, and in the final order."""
    orders = {
        "vector": _places(cosine),
        "keyword": _places({key: score for key, score in keyword.items() if score > 0}),
        "fused": _places(fused),
        "final": {passage.key: place for place, passage in enumerate(ranked, start=1)},
    }
    return lambda key: {name: places[key] for name, places in orders.items() if key in places}


def _places(scores: Mapping[str, float]) -> dict[str, int]:
    ordered = sorted(scores, key=lambda key: (-scores[key], key))
    return {key: place for place, key in enumerate(ordered, start=1)}
