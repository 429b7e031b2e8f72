"""HTTP API: reports of deletions, for editors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError

from knowledge.documents import access, paging
from knowledge.documents.deletions import reports, signing
from knowledge.documents.deletions.words import headline
from knowledge.documents.models import DeletionReport
from knowledge.documents.paging import PageSize
from knowledge.tenants.access import Actor

deletions = Router(tags=["deletions"])


class PlaceOut(Schema):
    place: str
    name: str
    rule: str  # gone, kept, fades, wordless, learnt
    before: int | None
    after: int | None
    note: str


class DeletionOut(Schema):
    id: str
    document: str
    knowledge_base: str
    name: str
    state: str  # running, waiting_for_purge, done, failed
    error: str
    requested: datetime
    requested_by: str
    reason: str
    erased: bool
    finished: datetime | None
    purged: datetime | None
    gone: bool  # nothing is left that must be gone, and its bytes have left the disk; copies may be ``fading``
    fading: list[str]  # names of the places with copies that end by themselves
    headline: str  # both in a sentence
    places: list[PlaceOut]
    signature: str
    verified: bool

    @classmethod
    def of(cls, report: DeletionReport) -> DeletionOut:
        return cls(
            id=str(report.pk), document=str(report.document_ref), knowledge_base=str(report.knowledge_base_ref),
            name=report.name, state=report.state, error=report.error, requested=report.requested,
            requested_by=report.requested_by, reason=report.reason, erased=report.erased, finished=report.finished,
            purged=report.purged, gone=reports.is_gone(report),
            fading=[entry["name"] for entry in reports.fading_of(report)], headline=headline(report),
            places=[PlaceOut(**entry) for entry in report.places],
            signature=report.signature, verified=signing.is_signed(signing.facts_of(report), report.signature),
        )  # fmt: skip


class DeletionPage(Schema):
    items: list[DeletionOut]
    next_cursor: str | None = None


def _editor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if not actor.can_edit:
        raise HttpError(403, "Your role does not show what was deleted.")
    return actor


@deletions.get("", response=DeletionPage)
def list_deletions(request: HttpRequest, cursor: str | None = None, limit: PageSize = 50) -> Any:
    """List the deletions of the organisation, newest first."""
    rows = access.visible_deletions(actor=_editor(request))
    found, following = paging.page(rows, field="requested", cursor=cursor, limit=limit)
    return DeletionPage(items=[DeletionOut.of(report) for report in found], next_cursor=following)


@deletions.get("/{deletion_id}", response=DeletionOut)
def get_deletion(request: HttpRequest, deletion_id: str) -> Any:
    """Return the report of a deletion; the document's id names it too."""
    return DeletionOut.of(access.access_deletion(actor=_editor(request), pk=deletion_id))
