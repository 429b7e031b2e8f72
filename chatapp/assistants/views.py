"""The list of assistants, the form of one, and the question before one is deleted."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from chatapp.accounts.pages import member_page
from chatapp.assistants.forms import AssistantForm
from chatapp.assistants.presentation import card_of
from chatapp.conversations import access
from chatapp.conversations import assistants as services
from chatapp.conversations.models import Assistant
from chatapp.conversations.policies import policy_of
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

HERE = "assistants"
form_page = require_http_methods(["GET", "HEAD", "POST"])


def only_administrators(actor: Actor) -> None:
    """:raises PermissionDenied: the role does not administer."""
    if not actor.can_administer:
        raise PermissionDenied("Your role does not show how assistants are set up.")


@require_safe
@member_page
def assistants(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the assistants: how each answers, with which model, from what."""
    only_administrators(actor)
    rows = access.visible_assistants(actor=actor).prefetch_related("knowledge_bases")
    policy = policy_of(actor.tenant_id)
    context = {"here": HERE, "cards": [card_of(row, policy) for row in rows], "policy": policy}
    return render(request, "assistants/list.html", context)


@form_page
@member_page
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the empty form; store what was filled in."""
    only_administrators(actor)
    form = AssistantForm(actor, data=request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _show(request, form)
    try:
        made = services.create_assistant(actor=actor, fields=form.given())
    except KnowledgeError as error:
        return _show(request, form, problem=error.message)
    messages.success(request, f"The assistant “{made.name}” is there. Everyone here can ask it now.")
    return redirect("assistants:list")


@form_page
@member_page
def edit(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    """Show the settings of an assistant; store what was changed."""
    only_administrators(actor)
    assistant = _assistant(actor, slug)
    form = AssistantForm(actor, assistant=assistant, data=request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _show(request, form)
    try:
        # A row of its own: what is refused must not be shown as if it were stored.
        services.update_assistant(actor=actor, assistant=_assistant(actor, slug), changes=form.given())
    except KnowledgeError as error:
        return _show(request, form, problem=error.message)
    messages.success(request, "The settings are stored. They count from the next question on.")
    return redirect("assistants:list")


@form_page
@member_page
def delete(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    """Ask, then delete the assistant."""
    only_administrators(actor)
    assistant = _assistant(actor, slug)
    if request.method == "POST":
        try:
            services.delete_assistant(actor=actor, assistant=assistant)
        except KnowledgeError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"The assistant “{assistant.name}” is deleted. Its answers stay.")
        return redirect("assistants:list")
    return render(request, "assistants/delete.html", {"here": HERE, "assistant": assistant})


def _assistant(actor: Actor, slug: str) -> Assistant:
    return services.access_assistant_to_administer(actor=actor, name=slug)


def _show(request: HttpRequest, form: AssistantForm, *, problem: str = "") -> HttpResponse:
    context = {"here": HERE, "form": form, "assistant": form.assistant, "problem": problem}
    return render(request, "assistants/form.html", context)
