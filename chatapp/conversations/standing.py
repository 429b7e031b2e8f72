"""Where the source of a passage stands today, for one reader.

| state | what it means | what the reader gets |
|---|---|---|
| current | the version that was read is the one that is searched | everything |
| replaced | a newer version is searched | everything; the old version opens |
| not_valid | its dates keep the document out of searches today | everything; the version opens |
| deleted | the document is gone | everything that the answer kept; nothing opens |
| erased | its words were removed for ever | that they were, and when |
| forbidden | the reader may not see its knowledge base | that there was a source |

Rights on what is deleted are those of the moment it went: on a base that is gone ``closing`` noted them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format

from chatapp.conversations.models import ContextPassage
from knowledge.documents import validity
from knowledge.documents.access import own_knowledge_bases
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.tenants.access import Actor

__all__ = ["OPENING", "SOURCE", "Source", "Sources", "Standing", "State", "source_of", "sources", "standings"]


class State(StrEnum):
    CURRENT = "current"
    REPLACED = "replaced"
    NOT_VALID = "not_valid"
    DELETED = "deleted"
    ERASED = "erased"
    FORBIDDEN = "forbidden"


OPENING = frozenset({State.CURRENT, State.REPLACED, State.NOT_VALID})
"""Where the reader of documents can show the version."""

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
    validity: str = ""  # why its document is not searched, where its dates say so

    @property
    def opens(self) -> bool:
        """Whether the reader of documents can show the version."""
        return self.state in OPENING

    @property
    def words(self) -> str:
        """What it is called on pages; empty where there is nothing to say."""
        if self.erased is not None and self.state is State.ERASED:
            return f"Erased on {date_format(timezone.localtime(self.erased), 'j F Y')}"
        if self.state is State.NOT_VALID:
            return f"{self.validity[:1].upper()}{self.validity[1:]}"
        return WORDS[self.state]

    def public(self) -> dict[str, Any]:
        """Return the shape of the API."""
        return {"state": self.state.value, "words": self.words, "newest": self.newest, "erased": self.erased}


@dataclass(frozen=True, slots=True)
class _Document:
    base: UUID
    alive: bool
    current: int | None
    validity: str


Source: TypeAlias = tuple[UUID, UUID | None, bool]
"""What decides whether a reader may see a passage: its document, its knowledge base, whether it was ``closed``."""

SOURCE = ("document_ref", "base_ref", "closed")  # fields of a passage


def source_of(passage: ContextPassage) -> Source:
    return passage.document_ref, passage.base_ref, passage.closed


@dataclass(frozen=True, slots=True)
class Sources:
    """How documents and knowledge bases are to one reader now."""

    documents: Mapping[UUID, _Document]
    foreign: Set[UUID]  # knowledge bases that are there, and not the reader's
    there: Set[UUID]  # knowledge bases that are not being deleted

    def forbidden(self, source: Source) -> bool:
        document, base, closed = source
        found = self.documents.get(document)
        return closed or (found.base if found is not None else base) in self.foreign

    def standing(self, passage: ContextPassage) -> Standing:
        """Return where a passage of one of the sources stands."""
        if self.forbidden(source_of(passage)):
            return Standing(state=State.FORBIDDEN)
        if passage.snapshot is not None and passage.snapshot.erased is not None:
            return Standing(state=State.ERASED, erased=passage.snapshot.erased)
        found = self.documents.get(passage.document_ref)
        if found is None or not found.alive or found.base not in self.there:
            return Standing(state=State.DELETED)
        newest = found.current if found.current != passage.version else None
        if found.validity:
            return Standing(state=State.NOT_VALID, newest=newest, validity=found.validity)
        if newest is not None:
            return Standing(state=State.REPLACED, newest=newest)
        return Standing(state=State.CURRENT)


def sources(wanted: Collection[Source], *, actor: Actor) -> Sources:
    """Return how sources are to a reader: three queries, however many there are."""
    documents = _documents({document for document, _, _ in wanted})
    bases = {found.base for found in documents.values()} | {base for _, base, _ in wanted if base is not None}
    found = dict(KnowledgeBase.objects.filter(pk__in=bases).values_list("pk", "deleting"))
    own = set(own_knowledge_bases(actor=actor).filter(pk__in=bases).values_list("pk", flat=True))
    # Of a base that is being deleted stays what stays of deleted documents.
    there = {pk for pk, deleting in found.items() if not deleting}
    return Sources(documents, found.keys() - own, there)


def standings(passages: Iterable[ContextPassage], *, actor: Actor) -> dict[int, Standing]:
    """Return where each passage stands, by its primary key."""
    rows = list(passages)
    known = sources({source_of(row) for row in rows}, actor=actor)
    return {row.pk: known.standing(row) for row in rows}


def _documents(refs: set[UUID]) -> dict[UUID, _Document]:
    rows = Document.objects.filter(pk__in=refs).values_list(
        "pk", "knowledge_base_id", "status", "current_version__number", *validity.DATES
    )
    return {
        pk: _Document(
            base, status != Document.Status.DELETING, current,
            validity.words(Document(valid_from=start, valid_until=end, expires=expires)),
        )
        for pk, base, status, current, start, end, expires in rows
    }  # fmt: skip
