"""The list of models, and the page of one with its test."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.language_models.access import ADMINISTRATORS_CHANGE, access_model, may_change, sees_connection
from chatapp.language_models.budgets import BudgetExhausted
from chatapp.language_models.catalogue import assistants_of, edit_model, editable
from chatapp.language_models.errors import ModelNotFound
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.presentation import cards, facts_of, provider_title, trial_rows
from chatapp.language_models.testing import next_step, try_model
from knowledge.tenants.access import Actor

SHOWN_TESTS = 8


def only_editors(actor: Actor) -> None:
    """:raises PermissionDenied: the role only reads."""
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show the models.")


def only_administrators(actor: Actor) -> None:
    """:raises PermissionDenied: the role does not administer."""
    if not actor.can_administer:
        raise PermissionDenied(ADMINISTRATORS_CHANGE)


def own_model(actor: Actor, model_id: int) -> LanguageModel:
    """Return a model that the actor may change.

    :raises PermissionDenied: the role does not administer. :raises ModelNotFound: there is none of the actor's.
    """
    only_administrators(actor)
    row = access_model(actor, model_id)
    if not may_change(actor, row):
        raise ModelNotFound
    return row


@require_safe
@member_page
def models(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the models that may answer."""
    only_editors(actor)
    return render(request, "models/list.html", {"here": "models", "cards": cards(actor), "actor": actor})


@require_safe
@member_page
def model(request: HttpRequest, actor: Actor, model_id: int) -> HttpResponse:
    """Show a model: what it is, who uses it, and what its tests showed."""
    only_editors(actor)
    row = access_model(actor, model_id)
    tests = list(row.tests.select_related("by").order_by("-created", "-pk")[:SHOWN_TESTS])
    newest = tests[0] if tests else None
    mine = may_change(actor, row)
    context: dict[str, Any] = {
        "here": "models", "model": row, "title": provider_title(row),
        "facts": facts_of(row, shows_connection=sees_connection(actor, row)),
        "assistants": assistants_of(actor).get(row.pk, []), "tests": tests, "newest": newest, "may_change": mine,
        "may_test": actor.can_administer, "is_deletable": mine and "model" in editable(row),
        "trials": trial_rows(newest) if newest else [], "next_step": next_step(newest.error_code) if newest else "",
    }  # fmt: skip
    return render(request, "models/model.html", context)


@require_POST
@member_page
def test(request: HttpRequest, actor: Actor, model_id: int) -> HttpResponse:
    """Try a model now, and show what it did."""
    only_administrators(actor)
    row = access_model(actor, model_id)
    try:
        found = try_model(actor, row)
    except BudgetExhausted as error:
        messages.error(request, error.message)
        return redirect("language_models:model", row.pk)
    if found.ok:
        messages.success(request, "The model answers. What it can do is told below.")
    return redirect("language_models:model", row.pk)


@require_POST
@member_page
def switch(request: HttpRequest, actor: Actor, model_id: int) -> HttpResponse:
    """Let a model answer, or no longer."""
    row = edit_model(actor, own_model(actor, model_id), {"enabled": request.POST.get("enabled") == "yes"})
    messages.success(request, f"“{row.name}” is switched {'on' if row.enabled else 'off'}.")
    return redirect("language_models:model", row.pk)
