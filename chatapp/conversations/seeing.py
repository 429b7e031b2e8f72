"""How the sources of an answer stand to its reader: the one place that decides what a trace shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from django.db.models import Q

from knowledge.documents.models import Document
from knowledge.tenants.access import Actor

__all__ = ["SourceState", "states_of"]

SourceState: TypeAlias = Literal["open", "deleted", "closed"]
"""Of a deleted document, what an answer quoted stays readable; a closed one exists, but not for this reader."""


def states_of(refs: Iterable[str], *, actor: Actor) -> Mapping[str, SourceState]:
    """Return the state of each document, by its id."""
    own = Q(tenant_id=actor.tenant_id, knowledge_base__tenant_id=actor.tenant_id)
    rows = Document.objects.filter(pk__in=set(refs))
    opened = set(rows.alive().filter(own, knowledge_base__deleting=False).values_list("pk", flat=True))
    foreign = set(rows.exclude(own).values_list("pk", flat=True))
    states: dict[str, SourceState] = dict.fromkeys(refs, "deleted")
    states.update({str(pk): "open" for pk in opened})
    states.update({str(pk): "closed" for pk in foreign})
    return states
