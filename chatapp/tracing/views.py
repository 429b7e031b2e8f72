"""How an answer came about, for whoever may read its conversation; the answer with its proof, for auditors."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from chatapp.accounts.pages import member_page
from chatapp.conversations.access import RunNotFound, access_run, access_run_to_audit
from chatapp.conversations.exports import export
from chatapp.conversations.models import AuditEntry
from chatapp.conversations.readable import json_of_export, page_of_export
from chatapp.conversations.trace import trace_detail
from chatapp.tracing.presentation import page_of
from knowledge.tenants.access import Actor


@require_safe
@member_page
def trace(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Show everything that is kept of an answer."""
    run = access_run(actor=actor, pk=run_id)
    detail = trace_detail(run, actor=actor)
    context = {
        "run": detail,
        "page": page_of(detail),
        "can_export": actor.can_administer and detail["audit"] is not None and not detail["withheld"],
    }
    return render(request, "tracing/trace.html", context)


@require_safe
@member_page
def export_json(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Hand out an answer with its proof, for machines."""
    return _file(json_of_export(_export(actor, run_id)), f"answer-{run_id}.json", "application/json")


@require_safe
@member_page
def export_html(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Hand out an answer with its proof, as a page to read."""
    return _file(page_of_export(_export(actor, run_id)), f"answer-{run_id}.html", "text/html; charset=utf-8")


def _export(actor: Actor, run_id: uuid.UUID) -> dict[str, Any]:
    """Return an answer that was recorded, whole.

    :raises RunNotFound: there is no such answer for this actor, or it has no record.
    """
    run = access_run_to_audit(actor=actor, pk=run_id)
    try:
        data = export(run, actor=actor)
    except AuditEntry.DoesNotExist as error:
        raise RunNotFound from error
    if data["withheld"]:
        raise PermissionDenied("You may no longer open every source of this answer.")
    return data


def _file(text: str, name: str, media_type: str) -> HttpResponse:
    """Answer with a file to save: what it quotes never becomes a page of this site."""
    response = HttpResponse(text.encode(), content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response
