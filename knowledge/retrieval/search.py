"""Ask the store, both ways at once, and keep what is live."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from knowledge.retrieval.base import LiveRows, PassageRow, Spaces
from knowledge.retrieval.spaces import SpaceVectors
from knowledge.stores.base import Store
from knowledge.types import Hit, Scope, Vector

__all__ = ["Candidates", "live_only", "search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    hits: Mapping[str, Hit]  # by key
    cosines: Mapping[str, float]  # by key, for every hit of a space that was searched by vector


def search(
    *, question: Callable[[], SpaceVectors], terms: Sequence[str], store: Store, spaces: Spaces, limit: int,
    scope: Scope,
) -> Candidates:  # fmt: skip
    """Return the union of the best ``limit`` records by vector and by keyword in every live space.

    A space in which the question has no vector is searched by keyword alone. The keyword searches of engines begin
    before the vectors are asked for, which may still be in the making.
    """
    by_keyword = [
        _keyword_search(terms, store=store, space=space, generations=ids, limit=limit, scope=scope)
        for space, ids in spaces
    ]
    hits: dict[str, Hit] = {}
    cosines: dict[str, float] = {}
    vectors = question()
    for (space, ids), keyword in zip(spaces, by_keyword, strict=True):
        vector = vectors.vectors.get(space)
        if vector is None:
            hits.update((hit.key, hit) for hit in keyword())
            continue
        nearest = store.search_vector(vector, space=space, generations=ids, limit=limit, scope=scope)
        near = {hit.key: hit for hit in nearest}
        only_keyword = [hit for hit in keyword() if hit.key not in near]
        hits.update((hit.key, hit) for hit in only_keyword)
        hits.update(near)
        found = {hit.key: 0.0 for hit in only_keyword} | _cosines(vector, only_keyword)
        found.update((key, hit.score) for key, hit in near.items())  # the engine's own where it knows it
        cosines.update(vectors.on_one_scale(space, found))
    return Candidates(hits=hits, cosines=cosines)


def live_only(candidates: Candidates, *, live: LiveRows, scope: Scope) -> dict[str, PassageRow]:
    """Return the database's rows of the candidates; what is not live there does not exist.

    The scope is checked once more here: a store that hands back a foreign record must not matter.
    """
    inside = [
        key
        for key, hit in candidates.hits.items()
        if scope.includes(knowledge_base=hit.knowledge_base, document=hit.document)
    ]
    rows = live.passages(inside, scope=scope) if inside else {}
    return {
        key: row
        for key, row in rows.items()
        if key in candidates.hits
        and row.version_id == candidates.hits[key].version
        and scope.includes(knowledge_base=row.knowledge_base, document=row.document)
    }


def _keyword_search(
    terms: Sequence[str], *, store: Store, space: str, generations: Collection[str], limit: int, scope: Scope
) -> Callable[[], list[Hit]]:
    """Return the search: begun by a thread where an engine is asked, else still to be made."""
    if not terms:
        return list
    search = partial(store.search_keyword, terms, space=space, generations=generations, limit=limit, scope=scope)
    in_memory = store.in_memory(space=space, scope=scope)
    return search if in_memory else _executor(os.getpid()).submit(search).result


@cache
def _executor(pid: int) -> ThreadPoolExecutor:
    """Threads for the second search; of this process, as threads do not survive a fork."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix=f"keyword-{pid}")


def _cosines(query: Vector, hits: Sequence[Hit]) -> dict[str, float]:
    """Return the cosine of each hit that came with its vector, by key."""
    vectors = {hit.key: hit.vector for hit in hits if hit.vector is not None}
    if not vectors:
        return {}
    matrix = np.stack(list(vectors.values()))
    norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(query)
    scores = np.divide(matrix @ query, norms, out=np.zeros(len(matrix), dtype=np.float32), where=norms > 0)
    return dict(zip(vectors, scores.tolist(), strict=True))
