"""HTTP API: conversations and runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from chatapp.conversations import access, selectors, services
from chatapp.conversations.models import Conversation
from chatapp.conversations.trace import trace_detail
from knowledge.documents import paging
from knowledge.documents.paging import PageSize
from knowledge.tenants.access import Actor

conversations = Router(tags=["conversations"])
runs = Router(tags=["runs"])


class Rename(Schema):
    title: str = Field(min_length=1, max_length=200)


def _row(conversation: Any) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "origin": conversation.origin,
        "updated": conversation.updated,
    }


@conversations.get("", response=dict[str, Any])
def list_conversations(
    request: HttpRequest, cursor: str | None = None, limit: PageSize = 50, origin: Conversation.Origin | None = None
) -> dict[str, Any]:
    """List your conversations, all or those that began in one place; ``others`` says whether more are left out."""
    rows = access.visible_conversations(actor=request.actor)  # type: ignore[attr-defined]
    chosen = rows if origin is None else rows.filter(origin=origin)
    elsewhere = [other for other in Conversation.Origin if origin is not None and other != origin]
    others = rows.filter(origin__in=elsewhere).exists()
    found, following = paging.page(chosen, field="updated", cursor=cursor, limit=limit)
    return {"items": [_row(c) for c in found], "next_cursor": following, "others": others}


@conversations.get("/{conversation_id}", response=dict[str, Any])
def get_conversation(request: HttpRequest, conversation_id: str) -> dict[str, Any]:
    found = access.access_conversation(actor=request.actor, pk=conversation_id)  # type: ignore[attr-defined]
    return selectors.conversation_detail(found, actor=request.actor)  # type: ignore[attr-defined]


@conversations.patch("/{conversation_id}", response=dict[str, Any])
def rename(request: HttpRequest, conversation_id: str, data: Rename) -> dict[str, Any]:
    found = access.access_conversation(actor=request.actor, pk=conversation_id)  # type: ignore[attr-defined]
    return _row(services.rename_conversation(conversation=found, title=data.title))


@conversations.delete("/{conversation_id}", response={204: None})
def delete(request: HttpRequest, conversation_id: str) -> Any:
    found = access.access_conversation(actor=request.actor, pk=conversation_id)  # type: ignore[attr-defined]
    services.delete_conversation(conversation=found)
    return Status(204, None)


@runs.get("/{run_id}", response=dict[str, Any])
def get_run(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """The trace of an answer: all that is kept of it, as far as you may open the sources it was given."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return trace_detail(access.access_run(actor=actor, pk=run_id), actor=actor)
