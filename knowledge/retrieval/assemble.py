"""Turn scored candidates into the passages that are returned.

Best first is also the order of the prompt: docs/decisions/0012-assembly.md says why.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.retrieval.base import PassageRow, RetrievalProfile, Texts
from knowledge.retrieval.cut import cut
from knowledge.retrieval.diversity import spread
from knowledge.retrieval.fuse import Scored
from knowledge.retrieval.neighbours import merge_neighbours
from knowledge.retrieval.repeats import Chosen, marked, repoint
from knowledge.types import Fate, Passage, Query

__all__ = ["Judged", "assemble", "judge", "related", "to_passages"]

logger = logging.getLogger(__name__)

COMPARED = 2
"""Passages for each wanted one that are looked at for a copy in a newer document, once enough are chosen."""

RELATED = 3
"""Passages offered where nothing is returned."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a passage, and the key of the one that repeats it."""

    passage: Passage
    fate: Fate
    by: str = ""


def to_passages(rows: Mapping[str, PassageRow], *, scored: Scored) -> list[Passage]:
    """Join rows, texts and scores, best first; equal scores by document and place, so that runs repeat."""
    hits = scored.candidates.hits
    passages = [
        Passage(
            key=key, document=row.document, version_id=row.version_id, version=row.version,
            knowledge_base=row.knowledge_base, title=row.title, heading_path=row.heading_path,
            page_first=row.page_first, page_last=row.page_last, start=row.start, end=row.end, text=hits[key].text,
            tokens=row.tokens, written=row.written, score=scored.fused[key], scores=scored.scores(key),
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
    passages, _ = judge(ranked, query=query, profile=profile)
    chosen = marked(passages)
    if not query.merge_neighbours:
        return tuple(chosen)
    merged = merge_neighbours(chosen, profile=profile, texts=texts, budget=query.token_budget)
    return tuple(repoint(merged, chosen=chosen))


def judge(
    ranked: Sequence[Passage], *, query: Query, profile: RetrievalProfile
) -> tuple[list[Passage], list[Judged]]:  # fmt: skip
    """Return the passages that are returned, and of each passage, best first, what becomes of it."""
    chosen = Chosen(budget=query.token_budget)
    judged: dict[str, Judged] = {}
    for place, passage in enumerate(spread(ranked, per_document=profile.per_document)):
        full = len(chosen.passages) >= query.limit
        if passage.scores.get("fused", passage.score) < profile.floor:
            judged[passage.key] = Judged(passage, Fate.BELOW_FLOOR)
            continue
        by, replaced = ("", "") if full and place >= COMPARED * query.limit else chosen.repeated_by(passage)
        if replaced:
            judged[passage.key] = Judged(passage, Fate.RETURNED)
            for key, one in judged.items():
                if replaced in (key, one.by):
                    judged[key] = Judged(one.passage, Fate.REPEATED, by)
        elif by:
            judged[passage.key] = Judged(passage, Fate.REPEATED, by)
        elif full:
            judged[passage.key] = Judged(passage, Fate.BEYOND_LIMIT)
        elif (fitting := _fitting(passage, chosen)) is None:
            judged[passage.key] = Judged(passage, Fate.OVER_BUDGET)
        else:
            chosen.passages.append(fitting)
            judged[passage.key] = Judged(passage, Fate.RETURNED)
    return chosen.passages, list(judged.values())


def related(ranked: Sequence[Passage], *, query: Query) -> tuple[Passage, ...]:
    """Return the nearest passages, however weak, where nothing is returned."""
    nearest = Chosen(budget=query.token_budget)
    for passage in ranked:
        if len(nearest.passages) >= min(RELATED, query.limit):
            break
        fitting = _fitting(passage, nearest)
        if fitting is not None and not nearest.repeated_by(passage)[0]:
            nearest.passages.append(fitting)
    return tuple(nearest.passages)


def _fitting(passage: Passage, chosen: Chosen) -> Passage | None:
    """Return the passage where it fits beside what was chosen; the best one is cut to fit, a shorter one may follow."""
    if chosen.spare is None or passage.tokens <= chosen.spare:
        return passage
    return None if chosen.passages else cut(passage, tokens=chosen.spare)
