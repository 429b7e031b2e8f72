"""How documents stand to a reader that a search ranked and no answer kept: what ``standing`` says of passages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from django.db.models import Q

from knowledge.documents.access import visible_knowledge_bases
from knowledge.documents.models import Document
from knowledge.tenants.access import Actor

__all__ = ["SourceState", "states_of"]

SourceState: TypeAlias = Literal["open", "deleted", "closed"]
"""Of a deleted document, what an answer quoted stays readable; a closed one exists, but not for this reader."""


def states_of(refs: Iterable[str], *, actor: Actor) -> Mapping[str, SourceState]:
    """Return the state of each document, by its id."""
    own = Q(knowledge_base__in=visible_knowledge_bases(actor=actor))
    rows = Document.objects.filter(pk__in=set(refs))
    opened = set(rows.alive().filter(own, knowledge_base__deleting=False).values_list("pk", flat=True))
    foreign = set(rows.exclude(own).values_list("pk", flat=True))
    states: dict[str, SourceState] = dict.fromkeys(refs, "deleted")
    states.update({str(pk): "open" for pk in opened})
    states.update({str(pk): "closed" for pk in foreign})
    return states
