"""The pages of fine-tuned models: every version, what it was trained on, how it did, and which answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.finetuning.registry import access, services
from chatapp.finetuning.registry.checks import is_running, request_check
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.registry.presentation import card_of, documents_shown, figures_of, line_of
from chatapp.finetuning.registry.retiring import foreseen
from chatapp.finetuning.registry.staleness import STALE_WORDS
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

__all__ = ["canary", "check", "models", "promote", "retire", "roll_back", "version"]

EVENTS = 100
FOLLOW_SECONDS = "5"


@require_safe
@member_page
def models(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the fine-tuned models with their versions."""
    _only_editors(actor)
    rows = access.visible_models(actor).select_related("language_model__target", "language_model__fallback")
    rows = rows.order_by("name", "pk")
    found: dict[Any, list[ModelVersion]] = {row.pk: [] for row in rows}
    versions = ModelVersion.objects.filter(fine_tuned_model__in=list(found)).select_related(*access.WITH)
    for each in versions.order_by("-number"):
        found[each.fine_tuned_model_id].append(each)
    cards = [card_of(row, found[row.pk]) for row in rows]
    context = {"here": "versions", "cards": cards, "can_administer": actor.can_administer}
    return render(request, "registry/list.html", context)


@require_safe
@member_page
def version(request: HttpRequest, actor: Actor, version_id: uuid.UUID) -> HttpResponse:
    """Show a version: state, evaluation, lineage, history, and what can be done with it."""
    _only_editors(actor)
    row = access.access_version(actor, version_id)
    documents, count = documents_shown(row, actor=actor)
    context = {
        "here": "versions", "line": line_of(row), "version": row, "model": row.fine_tuned_model,
        "figures": figures_of(row), "documents": documents, "document_count": count, "stale_words": STALE_WORDS,
        "events": row.events.select_related("by").order_by("-created", "-pk")[:EVENTS],
        "can_administer": actor.can_administer,
        "retiring": foreseen(actor, row) if actor.can_administer and row.state != ModelVersion.State.RETIRED else None,
    }  # fmt: skip
    response = render(request, "registry/version.html", context)
    if is_running(row.gate):
        response["Refresh"] = FOLLOW_SECONDS
    return response


@require_POST
@member_page
def check(request: HttpRequest, actor: Actor, version_id: uuid.UUID) -> HttpResponse:
    def act() -> str:
        request_check(actor, version_id)
        return "The version is being evaluated. The result appears here."

    return _acted(request, version_id, act)


@require_POST
@member_page
def promote(request: HttpRequest, actor: Actor, version_id: uuid.UUID) -> HttpResponse:
    def act() -> str:
        row = services.promote(actor, version_id, force=request.POST.get("reason", ""))
        return f"Version {row.number} answers from now on, as soon as a server has loaded it."

    return _acted(request, version_id, act)


@require_POST
@member_page
def canary(request: HttpRequest, actor: Actor, version_id: uuid.UUID) -> HttpResponse:
    def act() -> str:
        given = request.POST.get("share", "")
        row = services.set_canary(actor, version_id, int(given) if given.isdecimal() and len(given) < 4 else -1)
        if row.canary_share:
            return f"Version {row.number} answers {row.canary_share} % of conversations."
        return f"Version {row.number} answers no share any more."

    return _acted(request, version_id, act)


@require_POST
@member_page
def retire(request: HttpRequest, actor: Actor, version_id: uuid.UUID) -> HttpResponse:
    def act() -> str:
        row = services.retire(actor, version_id, delete_files=request.POST.get("delete_files") == "yes")
        return f"Version {row.number} is retired."

    return _acted(request, version_id, act)


@require_POST
@member_page
def roll_back(request: HttpRequest, actor: Actor, model_id: uuid.UUID) -> HttpResponse:
    model = access.access_fine_tuned_model(actor, model_id)
    try:
        row = services.roll_back(actor, model)
        messages.info(request, f"Version {row.number} answers again.")
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("registry:list")


def _acted(request: HttpRequest, version_id: uuid.UUID, act: Callable[[], str]) -> HttpResponse:
    """Do it and go back to the version; a refusal is shown there in words."""
    try:
        messages.info(request, act())
    except NotFound:
        raise
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("registry:version", version_id)


def _only_editors(actor: Actor) -> None:
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show fine-tuned models. Ask an owner or an administrator.")
