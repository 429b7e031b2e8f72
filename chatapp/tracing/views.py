"""How an answer came about, for whoever may read its conversation."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chatapp.accounts.pages import member_page
from chatapp.conversations.access import access_run
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
