"""Scopes as filter expressions of LanceDB, made of checked ids only."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from knowledge.stores.common import batches, checked_ids
from knowledge.types import Hit, Scope

__all__ = [
    "KEYS_PER_FILTER",
    "among",
    "check_scope",
    "delete_filters",
    "of_generation",
    "oversampled",
    "parts",
    "scope_filter",
]

KEYS_PER_FILTER = 1_000
MOST_NAMED = 2_000  # documents of a scope that every search names
OVERSAMPLED = 4  # times the limit is searched where they are not named


def oversampled(
    engine: Callable[[str, int], list[Hit]], *, live: str, limit: int, scope: Scope
) -> list[Hit] | None:  # fmt: skip
    """Try a scope of many documents without naming them, and leave out what lies outside; None where that is too much.

    The engine reads 10,000 ids for some 50 ms. What it scores by its indexes it scores alike with any filter, so these
    are the same records; words of rows that no index has yet are weighed within what passes the filter.
    """
    if _named(scope) <= MOST_NAMED:
        return None
    whole = replace(scope, documents=None, without=frozenset())
    hits = engine(f"{scope_filter(whole)} AND {live}", OVERSAMPLED * limit)
    inside = [
        hit
        for hit in hits
        if (scope.documents is None or hit.document in scope.documents) and hit.document not in scope.without
    ]
    return inside[:limit] if len(inside) >= limit or len(hits) < OVERSAMPLED * limit else None


def check_scope(scope: Scope) -> None:
    """Check the ids of a scope that every search names, also where it asks no engine.

    :raises StoreError: one of them is no id.
    """
    checked_ids(scope.knowledge_bases)
    if _named(scope) <= MOST_NAMED:
        checked_ids({*(scope.documents or ()), *scope.without})


def _named(scope: Scope) -> int:
    return len(scope.documents or ()) + len(scope.without)


def among(column: str, values: Collection[str]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in checked_ids(values))})" if values else "false"


def parts(values: Collection[str]) -> list[list[str]]:
    return list(batches(checked_ids(values), KEYS_PER_FILTER))


def scope_filter(scope: Scope) -> str:
    where = among("knowledge_base", scope.knowledge_bases)
    if scope.documents is not None:
        where += f" AND {among('document', scope.documents)}"
    return f"{where} AND NOT {among('document', scope.without)}" if scope.without else where


def of_generation(generation: str | None) -> str:
    """Return the rest of a filter that narrows it to a generation; "" for all of them."""
    return "" if generation is None else f" AND {among('generation', [generation])}"


def delete_filters(
    scope: Scope, *, versions: Collection[str] | None, keys: Collection[str] | None, generation: str | None
) -> list[str]:
    where = scope_filter(scope) + of_generation(generation)
    if versions is not None:
        where += f" AND {among('version', versions)}"
    return [where] if keys is None else [f"{where} AND {among('key', part)}" for part in parts(keys)]
