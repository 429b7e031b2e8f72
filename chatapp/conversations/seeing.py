"""How documents stand to a reader that a search ranked and no answer kept: what ``standing`` says of passages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from django.db.models import Q

from knowledge.documents.access import own_knowledge_bases
from knowledge.documents.models import Document
from knowledge.tenants.access import Actor

__all__ = ["Seen", "SourceState", "seen_of"]

SourceState: TypeAlias = Literal["open", "deleted", "closed"]
"""Of a deleted document, what an answer quoted stays readable; a closed one exists, but not for this reader."""

TITLES: Mapping[SourceState, str] = {
    "deleted": "A document that was deleted", "closed": "A source that you may no longer open",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    state: SourceState
    title: str  # of today; of a document that is not open, words in its place


def seen_of(refs: Iterable[str], *, actor: Actor) -> Mapping[str, Seen]:
    """Return what a reader is told of each document, by its id."""
    own = Q(knowledge_base__in=own_knowledge_bases(actor=actor))
    rows = Document.objects.filter(pk__in=set(refs))
    opened = dict(rows.alive().filter(own, knowledge_base__deleting=False).values_list("pk", "title"))
    foreign = set(rows.exclude(own).values_list("pk", flat=True))
    found = dict.fromkeys(refs, Seen(state="deleted", title=TITLES["deleted"]))
    found |= {str(pk): Seen(state="open", title=title) for pk, title in opened.items()}
    found |= {str(pk): Seen(state="closed", title=TITLES["closed"]) for pk in foreign}
    return found
