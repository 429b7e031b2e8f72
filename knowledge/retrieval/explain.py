"""Say of every candidate how it was ranked and what became of it, for people who ask why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from knowledge.retrieval.assemble import judge, to_passages
from knowledge.retrieval.base import LiveRows, RetrievalProfile
from knowledge.retrieval.fuse import Scored
from knowledge.retrieval.question import Question
from knowledge.retrieval.search import live_only
from knowledge.types import Considered, Explanation, Fate, Passage, Query, Scope

__all__ = ["explain", "outline"]

RanksOf = Callable[[str], dict[str, int]]


def explain(
    ranked: Sequence[Passage], returned: Sequence[Passage], *, scored: Scored, question: Question, live: LiveRows,
    scope: Scope, query: Query, profile: RetrievalProfile,
) -> Explanation:  # fmt: skip
    """Return the terms that were searched and every candidate with its scores, ranks and fate.

    ``ranked`` are the live passages that were assembled, in that order, and ``returned`` what came of them. Candidates
    that were not needed any more are joined against live rows only here, so that they too can be named.
    """
    ranks = _ranks(scored, ranked=ranked)
    shown = list(outline(ranked, returned, scored=scored, query=query, profile=profile))
    known = {passage.key for passage in ranked}
    others = scored.only([key for key in scored.candidates.hits if key not in known])
    rest = to_passages(live_only(others.candidates, live=live, scope=scope), scored=others)
    shown += [
        Considered(
            key=passage.key, fate=Fate.BELOW_FLOOR if passage.score < profile.floor else Fate.BEYOND_LIMIT,
            scores=passage.scores, ranks=ranks(passage.key), passage=passage,
        )
        for passage in rest
    ]  # fmt: skip
    gone = others.candidates.hits.keys() - {passage.key for passage in rest}
    shown += [
        Considered(key=key, fate=Fate.NOT_LIVE, ranks=ranks(key), scores=scored.scores(key))
        for key in sorted(gone, key=lambda key: (-scored.fused[key], key))
    ]
    return Explanation(
        terms=dict(question.weights), idf=question.idf(), chunks=question.statistics.chunks, considered=tuple(shown),
        searched=tuple(question.searched), languages=question.words.languages,
    )  # fmt: skip


def outline(
    ranked: Sequence[Passage], returned: Sequence[Passage], *, scored: Scored, query: Query, profile: RetrievalProfile
) -> tuple[Considered, ...]:
    """Return what became of the passages that were assembled, in that order. Asks nobody for anything."""
    ranks = _ranks(scored, ranked=ranked)
    return tuple(
        _shown(one.passage, one.fate, one.by, ranks=ranks, returned=returned)
        for one in judge(ranked, query=query, profile=profile)[1]
    )


def _shown(passage: Passage, fate: Fate, by: str, *, ranks: RanksOf, returned: Sequence[Passage]) -> Considered:
    """Name what was joined, and lead repeats on to the passage that was returned."""
    if fate is Fate.RETURNED and not returned:
        fate = Fate.UNLIKELY
    if fate in (Fate.RETURNED, Fate.REPEATED):
        by = _holder(by or passage.key, passage, returned)
        if fate is Fate.RETURNED and by != passage.key:
            fate = Fate.JOINED if by else Fate.BEYOND_LIMIT
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


def _ranks(scored: Scored, *, ranked: Sequence[Passage]) -> RanksOf:
    """Return what gives the ranks of a key: by each score among all candidates, and in the final order."""
    orders = {
        "vector": _places(scored.candidates.cosines),
        "keyword": _places({key: score for key, score in scored.keyword.items() if score > 0}),
        "fused": _places(scored.fused),
        "final": {passage.key: place for place, passage in enumerate(ranked, start=1)},
    }
    return lambda key: {name: places[key] for name, places in orders.items() if key in places}


def _places(scores: Mapping[str, float]) -> dict[str, int]:
    ordered = sorted(scores, key=lambda key: (-scores[key], key))
    return {key: place for place, key in enumerate(ordered, start=1)}
