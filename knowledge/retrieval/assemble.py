"""Turn scored candidates into the passages that are returned."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from knowledge.retrieval.base import PassageRow, RetrievalProfile, Texts
from knowledge.types import Hit, Passage, Query

__all__ = ["assemble", "to_passages"]

logger = logging.getLogger(__name__)


def to_passages(
    rows: Mapping[str, PassageRow], *, hits: Mapping[str, Hit], fused: Mapping[str, float],
    keyword: Mapping[str, float], cosine: Mapping[str, float],
) -> list[Passage]:  # fmt: skip
    """Join rows, texts and scores, best first; equal scores by document and place, so that runs repeat."""
    passages = [
        Passage(
            key=key, document=row.document, version_id=row.version_id, version=row.version,
            knowledge_base=row.knowledge_base, title=row.title, heading_path=row.heading_path,
            page_first=row.page_first, page_last=row.page_last, start=row.start, end=row.end, text=hits[key].text,
            tokens=row.tokens, score=fused[key],
            scores={
                **({"vector": cosine[key]} if key in cosine else {}), "keyword": keyword[key], "fused": fused[key],
            },
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
    for passage in ranked:
        if len(chosen) >= query.limit:
            break
        if passage.scores.get("fused", passage.score) < profile.floor:
            continue
        if _is_repeated(passage, chosen):
            continue
        if query.token_budget is not None and passage.tokens + sum(p.tokens for p in chosen) > query.token_budget:
            if chosen:
                continue  # a shorter one may still fit
            logger.info("the best passage alone exceeds the token budget")
        chosen.append(passage)
    return tuple(_merge_neighbours(chosen, profile=profile, texts=texts) if query.merge_neighbours else chosen)


def _is_repeated(passage: Passage, chosen: Iterable[Passage]) -> bool:
    """Tell whether a better passage holds this range, or has the very same text."""
    return any(
        passage.text == other.text
        or (passage.version_id == other.version_id and other.start <= passage.start and passage.end <= other.end)
        for other in chosen
    )


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
