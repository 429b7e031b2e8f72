"""Permission-checked fetches. Missing and forbidden look the same; sources are for those who may edit."""

from __future__ import annotations

from django.db.models import QuerySet

from knowledge.documents.access import as_uuid
from knowledge.errors import NotFound
from knowledge.syncing.models import Source, SyncRun
from knowledge.tenants.access import Actor


class SourceNotFound(NotFound):
    default_message = "No such source."


class SyncRunNotFound(NotFound):
    default_message = "No such run."


def visible_sources(*, actor: Actor) -> QuerySet[Source]:
    """Return the sources the actor may change; none for those who only read."""
    rows = Source.objects.filter(tenant_id=actor.tenant_id, deleting=False, knowledge_base__deleting=False)
    return rows if actor.can_edit else rows.none()


def access_source(*, actor: Actor, pk: object) -> Source:
    """Return a source.

    :raises SourceNotFound: it does not exist, belongs to another tenant, or the actor may only read.
    """
    parsed = as_uuid(pk)
    found = visible_sources(actor=actor).select_related("knowledge_base").filter(pk=parsed).first() if parsed else None
    if found is None:
        raise SourceNotFound
    return found


def access_sync_run(*, actor: Actor, pk: object) -> SyncRun:
    """Return a run, also one whose source is gone: it says what became of the documents.

    :raises SyncRunNotFound: it does not exist, belongs to another tenant, or the actor may only read.
    """
    parsed = as_uuid(pk) if actor.can_edit else None
    rows = SyncRun.objects.filter(tenant_id=actor.tenant_id).select_related("source__knowledge_base")
    found: SyncRun | None = rows.filter(pk=parsed).first() if parsed else None
    if found is None:
        raise SyncRunNotFound
    return found
