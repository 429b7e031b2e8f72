"""Starting, watching and stopping the runs of a source."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.sources.presentation import run_context
from chatapp.sources.views import only_editors
from knowledge.syncing import access, selectors, services
from knowledge.syncing.models import SyncRun
from knowledge.syncing.services import RunUnderWay
from knowledge.tenants.access import Actor


@require_POST
@member_page
def start(request: HttpRequest, actor: Actor, source_id: uuid.UUID) -> HttpResponse:
    """Start a run: ``dry``, ``full``, or ``withdraw``, which agrees to withdraw however many documents are gone."""
    only_editors(actor)
    source = access.access_source(actor=actor, pk=source_id)
    asked = request.POST.get("run")
    kind = SyncRun.Kind.DRY if asked == "dry" else SyncRun.Kind.FULL
    try:
        run = services.start_run(source=source, actor=actor, kind=kind, allow_withdrawals=asked == "withdraw")
    except RunUnderWay as error:
        messages.info(request, error.message)
        open_run = selectors.newest_run(source)
        return redirect("sources:run", open_run.pk) if open_run else redirect("sources:source", source.pk)
    return redirect("sources:run", run.pk)


@require_safe
@member_page
def run(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Show a run: how far it is, what it did or would do, and what it could not read."""
    only_editors(actor)
    row = access.access_sync_run(actor=actor, pk=run_id)
    return render(request, "sources/run.html", run_context(row))


@require_POST
@member_page
def cancel(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Stop a run."""
    only_editors(actor)
    row = access.access_sync_run(actor=actor, pk=run_id)
    try:
        services.cancel_run(run=row)
    except RunUnderWay as error:
        messages.info(request, error.message)
    return redirect("sources:run", row.pk)
