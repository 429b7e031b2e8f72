"""The pages of training: the list of runs, a new one, and the page of one."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.finetuning.training import access, extra, services
from chatapp.finetuning.training.forms import RunForm
from chatapp.finetuning.training.presentation import line_of, run_context
from chatapp.language_models.views import only_administrators, only_editors
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

__all__ = ["cancel", "new", "resume", "run", "runs"]

SHOWN = 100


@require_safe
@member_page
def runs(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the runs, newest first."""
    only_editors(actor)
    lines = [line_of(row) for row in access.visible_runs(actor=actor).order_by("-created")[:SHOWN]]
    context = {"here": "training", "lines": lines, "actor": actor, "is_open": any(line.is_open for line in lines)}
    return render(request, "training/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Choose data, base and recipe, see what that takes, and start."""
    only_administrators(actor)
    if request.method != "POST":
        return _form(request, RunForm(actor, request.GET))
    form = RunForm(actor, request.POST)
    if "reckon" in request.POST:
        return _form(request, form)
    try:
        made = form.start()
    except NotFound:
        raise
    except KnowledgeError as error:
        return _form(request, form, problem=error.message, status=422)
    return redirect("training:run", made.pk)


def _form(request: HttpRequest, form: RunForm, *, problem: str = "", status: int = 200) -> HttpResponse:
    facts, warnings = form.estimate()
    context: dict[str, Any] = {
        "here": "training", "form": form, "facts": facts, "warnings": warnings, "problem": problem,
        "extra_missing": "" if extra.installed() else extra.ExtraMissing.default_message,
    }  # fmt: skip
    return render(request, "training/new.html", context, status=status)


@require_safe
@member_page
def run(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Show a run: where it stands, its curve, what the model says, and its record."""
    only_editors(actor)
    return render(request, "training/run.html", run_context(access.access_run(actor=actor, pk=run_id), actor=actor))


@require_POST
@member_page
def cancel(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    only_administrators(actor)
    services.cancel_run(actor=actor, run=access.access_run(actor=actor, pk=run_id))
    return redirect("training:run", run_id)


@require_POST
@member_page
def resume(request: HttpRequest, actor: Actor, run_id: uuid.UUID) -> HttpResponse:
    """Go on with a run that failed or was cancelled."""
    only_administrators(actor)
    try:
        services.resume_run(actor=actor, run=access.access_run(actor=actor, pk=run_id))
    except NotFound:
        raise
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("training:run", run_id)
