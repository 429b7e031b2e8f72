"""Versions that are switched while a search is under way: it returns no two of one document, and never none.

The store is asked first and the database after it. A version that went live in between is not among what the store
found, and the one that it did find is not live any more: such a search is made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from knowledge.retrieval.base import LiveRows, PassageRow
from knowledge.retrieval.search import Candidates, live_only
from knowledge.types import Passage, Scope

__all__ = ["Versions"]


class Versions:
    """What one search has met of each document."""

    def __init__(self) -> None:
        self._live: dict[str, str] = {}  # document -> the version that was live when it was first met
        self._gone: dict[str, set[str]] = {}  # document -> versions that the store had and the database did not

    def join(self, candidates: Candidates, *, live: LiveRows, scope: Scope) -> dict[str, PassageRow]:
        """Return the live rows of the candidates, of each document those of one version."""
        found = live_only(candidates, live=live, scope=scope)
        rows = {
            key: row
            for key, row in found.items()
            if self._live.setdefault(row.document, row.version_id) == row.version_id
        }
        for key in candidates.hits.keys() - rows.keys():
            hit = candidates.hits[key]
            self._gone.setdefault(hit.document, set()).add(hit.version)
        return rows

    def without(self, before: Iterable[Passage], after: Iterable[Passage]) -> None:
        """Note the passages whose documents a later look at the database has left out."""
        left = {passage.document for passage in after}
        for passage in before:
            if passage.document not in left:
                self._live.pop(passage.document, None)
                self._gone.setdefault(passage.document, set()).add(passage.version_id)

    @property
    def lost(self) -> Collection[str]:
        """The versions of documents of which nothing that was found is live."""
        return {version for document, gone in self._gone.items() if document not in self._live for version in gone}
