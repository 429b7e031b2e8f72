"""The pages that tell what was deleted, and that it is gone."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chatapp.accounts.pages import member_page
from knowledge.documents import access
from knowledge.documents.deletions import reports, signing
from knowledge.documents.deletions.places import Rule
from knowledge.documents.deletions.words import headline
from knowledge.documents.models import DeletionReport
from knowledge.tenants.access import Actor

PAGE = 50

RULES = {
    Rule.GONE: "", Rule.KEPT: "kept by rule", Rule.FADES: "ends by itself", Rule.WORDLESS: "holds no words",
    Rule.LEARNT: "cannot forget",
}  # fmt: skip
STATES = {
    DeletionReport.State.RUNNING: "Being deleted",
    DeletionReport.State.WAITING: "Deleted; old files are being rewritten",
    DeletionReport.State.DONE: "Gone",
    DeletionReport.State.FAILED: "Something is left",
}
FADING = "Gone from here; copies end by themselves"


@require_safe
@member_page
def deletions(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the deletions of the organisation, newest first."""
    _check(actor)
    rows = access.visible_deletions(actor=actor).order_by("-requested", "pk")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "documents/deletions.html", {"page": page, "reports": [(row, _told(row)) for row in page]})


@require_safe
@member_page
def deletion(request: HttpRequest, actor: Actor, deletion_id: uuid.UUID) -> HttpResponse:
    """Show where the text of a document lay, and what of it is left."""
    _check(actor)
    report = access.access_deletion(actor=actor, pk=deletion_id)
    signed = signing.is_signed(signing.facts_of(report), report.signature)
    state = _state(report)
    context = {
        "report": report,
        "state": state,
        "headline": headline(report),
        "fades": bool(reports.fading_of(report)),
        "places": [_place(entry, report) for entry in report.places],
        "signed": signed,
        "changed": bool(report.signature) and not signed,
        "under_way": state in (DeletionReport.State.RUNNING, DeletionReport.State.WAITING),
    }
    return render(request, "documents/deletion.html", context)


@require_safe
@member_page
def deletion_file(request: HttpRequest, actor: Actor, deletion_id: uuid.UUID) -> HttpResponse:
    """Hand out the report with its signature, as ``manage.py deletion-report FILE --verify`` reads it."""
    _check(actor)
    report = access.access_deletion(actor=actor, pk=deletion_id)
    name = f"deletion-{report.document_ref}.json"
    response = JsonResponse(signing.handed_out(report), json_dumps_params={"ensure_ascii": False, "indent": 2})
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _check(actor: Actor) -> None:
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show what was deleted.")


def _state(report: DeletionReport) -> DeletionReport.State:
    return DeletionReport.State(report.state)


def _told(report: DeletionReport) -> str:
    state = _state(report)
    return FADING if state == DeletionReport.State.DONE and reports.fading_of(report) else STATES[state]


def _place(entry: dict[str, Any], report: DeletionReport) -> dict[str, Any]:
    rule = Rule(entry["rule"])
    return {**entry, "rule_words": RULES[rule], "left": entry in reports.left_of(report)}
