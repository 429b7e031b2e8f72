"""The list of sources of a knowledge base, and the page of one."""

from __future__ import annotations

import uuid

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chatapp.accounts.pages import member_page
from chatapp.sources.presentation import line_of, settings_of
from knowledge.documents.access import access_knowledge_base, visible_knowledge_bases
from knowledge.syncing import access, kinds, selectors, words
from knowledge.tenants.access import Actor


def only_editors(actor: Actor) -> None:
    """:raises PermissionDenied: the role only reads."""
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show where documents come from.")


@require_safe
@member_page
def sources(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the sources of a knowledge base: how each stands, when it ran and will run."""
    only_editors(actor)
    bases = list(visible_knowledge_bases(actor=actor).order_by("name"))
    asked = request.GET.get("base")
    base = access_knowledge_base(actor=actor, pk=asked) if asked else next(iter(bases), None)
    lines = [line_of(*row) for row in selectors.sources_of(actor=actor, base=base)] if base else []
    context = {
        "bases": bases, "base": base, "lines": lines, "kinds": kinds.titles().items(),
        "is_open": any(line.is_open for line in lines),
    }  # fmt: skip
    return render(request, "sources/list.html", context)


@require_safe
@member_page
def source(request: HttpRequest, actor: Actor, source_id: uuid.UUID) -> HttpResponse:
    """Show a source: its settings, how it stands, and its run log."""
    only_editors(actor)
    row = access.access_source(actor=actor, pk=source_id)
    log = [(run, words.summary_of(run)) for run in selectors.run_log(row)]
    line = line_of(row, log[0][0] if log else None, selectors.documents_of(row))
    context = {"line": line, "source": row, "settings": settings_of(row), "log": log, "is_open": line.is_open}
    return render(request, "sources/source.html", context)
