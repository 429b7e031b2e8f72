"""The passages that came nearest where a search returned none, as far as a reader may open them today.

They are named when the answer is read and are no part of its stored words: a document that was erased, or closed to
the reader, is then named nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chatapp.conversations.models import AnswerRun
from chatapp.conversations.seeing import Seen, seen_of
from knowledge.tenants.access import Actor

__all__ = ["Related", "related_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A passage that came near, in a document its reader may open."""

    document: str
    version: int
    title: str  # of today
    page: int | None
    start: int
    end: int


def related_of(runs: Iterable[AnswerRun], *, actor: Actor) -> dict[UUID, list[Related]]:
    """Return what came nearest by run: two queries for all runs, and none where every search returned something."""
    places = {run.pk: (run.retrieval.get("search") or {}).get("related", ()) for run in runs}
    seen = seen_of({place["document"] for found in places.values() for place in found}, actor=actor)
    return {pk: list(_opened(found, seen)) for pk, found in places.items()}


def _opened(places: Iterable[Mapping[str, Any]], seen: Mapping[str, Seen]) -> Iterable[Related]:
    for place in places:
        document = seen[place["document"]]
        if document.state == "open":
            where = {name: place[name] for name in ("document", "version", "page", "start", "end")}
            yield Related(**where, title=document.title)
