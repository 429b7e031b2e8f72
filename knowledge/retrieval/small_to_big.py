"""Small to big: what was found may be small and to the point, what is returned is read with what stands around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from knowledge.ingestion.stages import chunk_key
from knowledge.retrieval.base import LiveRows, PassageRow, RetrievalProfile, Texts
from knowledge.retrieval.repeats import repoint
from knowledge.types import Passage, Query, Scope

__all__ = ["widened", "with_neighbours"]

REACH = 5
"""Chunks looked at on each side."""

SPARE = 3
"""Passages assembled for each that is wanted: neighbours are swallowed by the better of them."""

Place = tuple[str, int]
"""Version and ordinal."""


def widened(query: Query, *, profile: RetrievalProfile) -> Query:
    """Return what to assemble before passages are expanded: more of them, and none joined yet."""
    return replace(query, limit=SPARE * query.limit, merge_neighbours=False) if profile.neighbours else query


def with_neighbours(
    passages: Sequence[Passage], *, query: Query, profile: RetrievalProfile, live: LiveRows, texts: Texts | None,
    scope: Scope,
) -> tuple[Passage, ...]:  # fmt: skip
    """Let each passage, best first, grow by live neighbours of its headings to ``profile.neighbours`` characters.

    No chunk is returned twice: a passage that a better one has taken in is left out. The limit and the token budget of
    the query hold. Without ``texts`` nothing grows.
    """
    if texts is None:
        return tuple(passages[: query.limit])
    around = _Around(passages, live=live, scope=scope)
    chosen: list[Passage] = []
    spent = 0
    for passage in passages:
        row = around.own.get(passage.key)
        if row is None or (row.version_id, row.ordinal) in around.taken:
            continue
        budget = None if query.token_budget is None else query.token_budget - spent
        if budget is not None and passage.tokens > budget and chosen:
            continue
        grown = _grown(passage, around.rows(row, most=profile.neighbours, budget=budget), texts)
        chosen.append(grown)
        spent += grown.tokens
        if len(chosen) >= query.limit:
            break
    keys = {passage.key for passage in chosen}
    return tuple(
        replace(passage, variants=tuple(v for v in passage.variants if v.key in keys))
        for passage in repoint(chosen, chosen=passages)
    )


class _Around:
    """Live rows of passages and of their neighbours, and which of them are returned already."""

    def __init__(self, passages: Sequence[Passage], *, live: LiveRows, scope: Scope) -> None:
        self.own = live.passages([passage.key for passage in passages], scope=scope)
        keys = dict.fromkeys(key for row in self.own.values() for key in _neighbours(row))
        found = {**live.passages([key for key in keys if key not in self.own], scope=scope), **self.own}
        self._rows: Mapping[Place, PassageRow] = {(row.version_id, row.ordinal): row for row in found.values()}
        self.taken: set[Place] = set()

    def rows(self, row: PassageRow, *, most: int, budget: int | None) -> list[PassageRow]:
        """Return the row with the neighbours it grows by, in their order, and take them all."""
        rows, sides = [row], [1, -1]
        while sides:
            side = sides.pop(0)
            near = self._rows.get((row.version_id, rows[-1 if side > 0 else 0].ordinal + side))
            if near is None or (near.version_id, near.ordinal) in self.taken or near.heading_path != row.heading_path:
                continue
            wider = [*rows, near] if side > 0 else [near, *rows]
            if wider[-1].end - wider[0].start <= most and (budget is None or sum(r.tokens for r in wider) <= budget):
                rows = wider
                sides.append(side)
        self.taken.update((r.version_id, r.ordinal) for r in rows)
        return rows


def _neighbours(row: PassageRow) -> Iterator[str]:
    for ordinal in range(max(0, row.ordinal - REACH), row.ordinal + REACH + 1):
        yield chunk_key(version=row.version_id, generation=row.generation, ordinal=ordinal)


def _grown(passage: Passage, rows: Sequence[PassageRow], texts: Texts) -> Passage:
    """Return the passage over all rows; as it was where the canonical text is not the one indexed."""
    start, end = min(r.start for r in rows), max(r.end for r in rows)
    text = texts(passage.version_id)[start:end] if len(rows) > 1 else passage.text
    if len(text) != end - start or text[passage.start - start : passage.end - start] != passage.text:
        return passage
    return replace(
        passage, start=start, end=end, text=text, tokens=sum(r.tokens for r in rows), page_first=rows[0].page_first,
        page_last=rows[-1].page_last,
    )  # fmt: skip
