"""The page of model servers: how each is, what it has loaded, starting and stopping."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.finetuning.serving import services
from chatapp.finetuning.serving.extra import extra_installed
from chatapp.finetuning.serving.presentation import cards_of
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

__all__ = ["servers", "start", "stop"]

FOLLOW_SECONDS = "3"


@require_safe
@member_page
def servers(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List base models with their servers."""
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show model servers. Ask an owner or an administrator.")
    cards = cards_of(actor)
    context = {
        "here": "servers", "cards": cards, "can_administer": actor.can_administer, "has_extra": extra_installed(),
        "no_extra": services.NO_EXTRA, "addresses": services.vllm_addresses(),
        "busy": any(line.row.state == "starting" for card in cards for line in card.servers),
    }  # fmt: skip
    response = render(request, "serving/list.html", context)
    if context["busy"]:
        response["Refresh"] = FOLLOW_SECONDS
    return response


@require_POST
@member_page
def start(request: HttpRequest, actor: Actor) -> HttpResponse:
    def act() -> str:
        given = request.POST
        services.start_server(
            actor, base=given.get("base"), kind="vllm" if given.get("address") else "own",
            address=given.get("address", ""),
        )  # fmt: skip
        return "The server is being started. Its models appear in the catalogue when they are loaded."

    return _acted(request, act)


@require_POST
@member_page
def stop(request: HttpRequest, actor: Actor, server_id: uuid.UUID) -> HttpResponse:
    def act() -> str:
        services.stop_server(actor, server_id)
        return "The server is being stopped. Its models are switched off in the catalogue."

    return _acted(request, act)


def _acted(request: HttpRequest, act: Callable[[], str]) -> HttpResponse:
    try:
        messages.info(request, act())
    except NotFound:
        raise
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("serving:list")
