"""Where the source of a passage stands today, for one reader.

| state | what it means | what the reader gets |
|---|---|---|
| current | the version that was read is the one that is searched | everything |
| replaced | a newer version is searched | everything; the old version opens |
| deleted | the document is gone | everything that the answer kept; nothing opens |
| erased | its words were removed for ever | that they were, and when |
| forbidden | the reader may not see its knowledge base | that there was a source |

Rights on what is deleted are those of the moment it went: on a base that is gone ``closing`` noted them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format

from chatapp.conversations.models import ContextPassage
from knowledge.documents.access import own_knowledge_bases
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.tenants.access import Actor

__all__ = ["Standing", "State", "standings"]


class State(StrEnum):
    CURRENT = "current"
    REPLACED = "replaced"
    DELETED = "deleted"
    ERASED = "erased"
    FORBIDDEN = "forbidden"


WORDS: Mapping[State, str] = {
    State.CURRENT: "",
    State.REPLACED: "A newer version of this document exists",
    State.DELETED: "This document has been deleted",
    State.ERASED: "Erased",
    State.FORBIDDEN: "You may no longer open this source",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    state: State
    newest: int | None = None  # the version that is searched now, where it is another one
    erased: datetime | None = None

    @property
    def opens(self) -> bool:
        """Whether the reader of documents can show the version."""
        return self.state in (State.CURRENT, State.REPLACED)

    @property
    def words(self) -> str:
        """What it is called on pages; empty where there is nothing to say."""
        if self.erased is not None and self.state is State.ERASED:
            return f"Erased on {date_format(timezone.localtime(self.erased), 'j F Y')}"
        return WORDS[self.state]

    def public(self) -> dict[str, Any]:
        """Return the shape of the API."""
        return {"state": self.state.value, "words": self.words, "newest": self.newest, "erased": self.erased}


@dataclass(frozen=True, slots=True)
class _Document:
    base: UUID
    alive: bool
    current: int | None


def standings(passages: Iterable[ContextPassage], *, actor: Actor) -> dict[int, Standing]:
    """Return where each passage stands, by its primary key: three queries, however many there are."""
    rows = list(passages)
    documents = _documents({row.document_ref for row in rows})
    bases = {found.base for found in documents.values()} | {row.base_ref for row in rows if row.base_ref}
    found = dict(KnowledgeBase.objects.filter(pk__in=bases).values_list("pk", "deleting"))
    own = set(own_knowledge_bases(actor=actor).filter(pk__in=bases).values_list("pk", flat=True))
    # Of a base that is being deleted stays what stays of deleted documents.
    there = {pk for pk, deleting in found.items() if not deleting}
    return {row.pk: _standing(row, documents.get(row.document_ref), found.keys() - own, there) for row in rows}


def _documents(refs: set[UUID]) -> dict[UUID, _Document]:
    rows = Document.objects.filter(pk__in=refs).values_list(
        "pk", "knowledge_base_id", "status", "current_version__number"
    )
    return {pk: _Document(base, status != Document.Status.DELETING, current) for pk, base, status, current in rows}


def _standing(row: ContextPassage, found: _Document | None, closed: set[UUID], there: set[UUID]) -> Standing:
    base = found.base if found is not None else row.base_ref
    if base in closed or row.closed:
        return Standing(state=State.FORBIDDEN)
    if row.snapshot is not None and row.snapshot.erased is not None:
        return Standing(state=State.ERASED, erased=row.snapshot.erased)
    if found is None or not found.alive or found.base not in there:
        return Standing(state=State.DELETED)
    if found.current is not None and found.current != row.version:
        return Standing(state=State.REPLACED, newest=found.current)
    return Standing(state=State.CURRENT)
