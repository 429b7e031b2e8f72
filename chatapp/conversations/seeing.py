"""Which sources of an answer its reader may still open: the one place that decides what a trace shows of them."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge.documents.models import Document
from knowledge.tenants.access import Actor

__all__ = ["closed_documents"]


def closed_documents(refs: Iterable[str], *, actor: Actor) -> frozenset[str]:
    """Return which of these documents exist and are closed to the reader.

    A document that was deleted is not among them: what an answer quoted of it stays readable.
    """
    rows = Document.objects.filter(pk__in=set(refs))
    own = rows.filter(tenant_id=actor.tenant_id, knowledge_base__tenant_id=actor.tenant_id)
    return frozenset(str(pk) for pk in rows.exclude(pk__in=own.values("pk")).values_list("pk", flat=True))
