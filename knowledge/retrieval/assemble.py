"""Turn scored candidates into the passages that are returned."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from knowledge.retrieval.base import PassageRow, RetrievalProfile, Texts
from knowledge.retrieval.fuse import Scored
from knowledge.types import Fate, Passage, Query

__all__ = ["assemble", "judge", "to_passages"]

logger = logging.getLogger(__name__)


def to_passages(rows: Mapping[str, PassageRow], *, scored: Scored) -> list[Passage]:
    """Join rows, texts and scores, best first; equal scores by document and place, so that runs repeat."""
    hits = scored.candidates.hits
    passages = [
        Passage(
            key=key, document=row.document, version_id=row.version_id, version=row.version,
            knowledge_base=row.knowledge_base, title=row.title, heading_path=row.heading_path,
            page_first=row.page_first, page_last=row.page_last, start=row.start, end=row.end, text=hits[key].text,
            tokens=row.tokens, score=scored.fused[key], scores=scored.scores(key),
        )
        for key, row in rows.items()
        if len(hits[key].text) == row.end - row.start  # an index that disagrees with the database is not quoted
    ]  # fmt: skip
    if len(passages) < len(rows):
        logger.warning("records of the search index differ from their rows: dropped=%s", len(rows) - len(passages))
    return sorted(passages, key=lambda p: (-p.score, p.document, p.version, p.start, p.key))


def assemble(
    ranked: Sequence[Passage], *, query: Query, profile: RetrievalProfile, texts: Texts | None = None
) -> tuple[Passage, ...]:
    """Drop what is too weak or said already, merge neighbours if asked, and keep to limit and token budget."""
    chosen: list[Passage] = []
    for passage, fate, _ in judge(ranked, query=query, profile=profile):
        if fate is Fate.RETURNED:
            chosen.append(passage)
        if len(chosen) >= query.limit:
            break
    return tuple(_merge_neighbours(chosen, profile=profile, texts=texts) if query.merge_neighbours else chosen)


def judge(ranked: Iterable[Passage], *, query: Query, profile: RetrievalProfile) -> Iterator[tuple[Passage, Fate, str]]:
    """Say of each passage, best first, what becomes of it, and the key of the one that repeats it."""
    chosen: list[Passage] = []
    for passage in ranked:
        repeated = _repeated_by(passage, chosen)
        if passage.scores.get("fused", passage.score) < profile.floor:
            yield passage, Fate.BELOW_FLOOR, ""
        elif repeated:
            yield passage, Fate.REPEATED, repeated
        elif len(chosen) >= query.limit:
            yield passage, Fate.BEYOND_LIMIT, ""
        elif _over_budget(passage, chosen, budget=query.token_budget):
            yield passage, Fate.OVER_BUDGET, ""
        else:
            chosen.append(passage)
            yield passage, Fate.RETURNED, ""


def _repeated_by(passage: Passage, chosen: Iterable[Passage]) -> str:
    """Return the key of a better passage that holds this range, or has the very same text; else nothing."""
    for other in chosen:
        inside = passage.version_id == other.version_id and other.start <= passage.start and passage.end <= other.end
        if inside or passage.text == other.text:
            return other.key
    return ""


def _over_budget(passage: Passage, chosen: Sequence[Passage], *, budget: int | None) -> bool:
    """Tell whether the passage is too long beside what was chosen; a shorter one may still fit."""
    if budget is None or passage.tokens + sum(p.tokens for p in chosen) <= budget:
        return False
    if not chosen:
        logger.info("the best passage alone exceeds the token budget")
    return bool(chosen)


def _merge_neighbours(chosen: Sequence[Passage], *, profile: RetrievalProfile, texts: Texts | None) -> list[Passage]:
    """Join passages of one version that (nearly) touch, each into the better ranked one."""
    merged: list[Passage] = []
    for passage in chosen:
        joined: Passage | None = passage
        while joined is not None:
            passage = joined
            joined = None
            for index, other in enumerate(merged):
                joined = _join(other, passage, profile=profile, texts=texts)
                if joined is not None:
                    del merged[index]
                    break
        merged.append(passage)
    return sorted(merged, key=lambda p: -p.score)


def _join(one: Passage, two: Passage, *, profile: RetrievalProfile, texts: Texts | None) -> Passage | None:
    """Return the passage over both, or None where they are not neighbours or would grow too long."""
    first, second = (one, two) if (one.start, one.end) <= (two.start, two.end) else (two, one)
    end = max(first.end, second.end)
    gap = second.start - first.end
    if one.version_id != two.version_id or gap > profile.neighbour_gap or end - first.start > profile.merged_characters:
        return None
    if gap <= 0:
        text = first.text + second.text[-gap:]
    elif texts is not None:
        text = first.text + texts(one.version_id)[first.end : second.start] + second.text
    else:
        return None
    if len(text) != end - first.start:  # the canonical text read is not the one indexed
        return None
    best = one if one.score >= two.score else two
    return replace(
        best, start=first.start, end=end, text=text, tokens=first.tokens + second.tokens,
        heading_path=_common(first.heading_path, second.heading_path),
        page_first=first.page_first, page_last=second.page_last if second.page_last is not None else first.page_last,
    )  # fmt: skip


def _common(one: tuple[str, ...], two: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        length += 1
    return one[:length]
