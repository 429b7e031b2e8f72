"""Adding, changing, pausing and deleting sources."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from chatapp.accounts.pages import member_page
from chatapp.sources.forms import HOURS, UNITS, SourceForm
from chatapp.sources.views import only_editors
from knowledge.documents.access import access_knowledge_base
from knowledge.documents.models import KnowledgeBase
from knowledge.errors import SourceMisconfigured
from knowledge.syncing import access, kinds, selectors, services
from knowledge.syncing.access import SourceNotFound
from knowledge.tenants.access import Actor

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@member_page
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the empty form of a kind; store what was filled in, or say whether it can be reached."""
    only_editors(actor)
    base = access_knowledge_base(actor=actor, pk=request.GET.get("base", ""))
    form = _form(request, request.GET.get("kind", ""))
    if request.method != "POST" or request.POST.get("action") == "test":
        return _show(request, form, base)
    try:
        source = services.create_source(actor=actor, base=base, kind=form.kind, **form.given())
    except SourceMisconfigured as error:
        return _show(request, form, base, problem=error.message)
    messages.success(request, "The source is stored. Nothing was read yet: begin with a dry run, or run it now.")
    return redirect("sources:source", source.pk)


@form_page
@member_page
def edit(request: HttpRequest, actor: Actor, source_id: uuid.UUID) -> HttpResponse:
    """Show the settings of a source; store what was changed, or say whether it can be reached."""
    only_editors(actor)
    source = access.access_source(actor=actor, pk=source_id)
    form = _form(request, source.kind, source=source)
    if request.method != "POST" or request.POST.get("action") == "test":
        return _show(request, form, source.knowledge_base)
    try:
        # A row of its own: what is refused must not be shown as if it were stored.
        services.update_source(source=access.access_source(actor=actor, pk=source_id), changes=form.given())
    except SourceMisconfigured as error:
        return _show(request, form, source.knowledge_base, problem=error.message)
    messages.success(request, "The settings are stored. They count from the next run on.")
    return redirect("sources:source", source.pk)


@require_POST
@member_page
def pause(request: HttpRequest, actor: Actor, source_id: uuid.UUID) -> HttpResponse:
    """Stop the schedule of a source, or let it go on."""
    only_editors(actor)
    source = access.access_source(actor=actor, pk=source_id)
    services.update_source(source=source, changes={"enabled": request.POST.get("enabled") == "yes"})
    return redirect("sources:source", source.pk)


@form_page
@member_page
def delete(request: HttpRequest, actor: Actor, source_id: uuid.UUID) -> HttpResponse:
    """Ask what shall become of the documents, then delete the source."""
    only_editors(actor)
    source = access.access_source(actor=actor, pk=source_id)
    if request.POST.get("documents") not in ("keep", "withdraw"):
        context = {"source": source, "documents": selectors.documents_of(source)}
        return render(request, "sources/delete.html", context)
    base, withdraw = source.knowledge_base_id, request.POST["documents"] == "withdraw"
    run = services.delete_source(source=source, actor=actor, withdraw=withdraw)
    if run is not None:
        return redirect("sources:run", run.pk)
    messages.success(request, f"The source “{source.name}” is deleted. Its documents stay.")
    return redirect(f"{reverse('sources:list')}?{urlencode({'base': str(base)})}")


def _form(request: HttpRequest, kind: str, **more: Any) -> SourceForm:
    try:
        return SourceForm(kind, data=request.POST if request.method == "POST" else None, **more)
    except SourceMisconfigured as error:
        raise SourceNotFound from error


def _show(request: HttpRequest, form: SourceForm, base: KnowledgeBase, *, problem: str = "") -> HttpResponse:
    tested = request.method == "POST" and request.POST.get("action") == "test"
    context = {
        "form": form, "base": base, "kind": form.kind, "title": kinds.titles()[form.kind], "source": form.source,
        "units": [(name, words) for name, (words, _) in UNITS.items()], "hours": HOURS, "problem": problem,
        "tested": tested, "found": _tried(form) if tested else [],
    }  # fmt: skip
    return render(request, "sources/form.html", context)


def _tried(form: SourceForm) -> list[str]:
    try:
        given = form.given()
        secrets = form.secrets_to_try(given)
    except SourceMisconfigured as error:
        return [error.message]
    return kinds.problems_of(form.kind, given["options"], secrets=secrets, source=form.source)
