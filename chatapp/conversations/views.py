"""The chat page: a shell whose data comes from the API and the socket."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from chatapp.accounts.models import User
from chatapp.accounts.pages import member_page
from chatapp.conversations.access import access_conversation
from chatapp.language_models import budgets
from knowledge.tenants.access import Actor

# Answered by the product's own documentation, which the demo knowledge base holds from the start.
EXAMPLES = (
    "Which file formats can I upload?",
    "How do I know that a sentence of an answer is right?",
    "What happens when I delete a document?",
)


def _low_budget(actor: Actor) -> str:
    """Say which budget is nearly or wholly used up; nothing while there is enough."""
    least = min(budgets.remaining(actor), key=lambda each: each.left, default=None)
    if least is None or least.left > budgets.LOW:
        return ""
    return least.used_up if least.exhausted else least.running_low


@ensure_csrf_cookie
@member_page
def chat(request: HttpRequest, actor: Actor, conversation_id: uuid.UUID | None = None) -> HttpResponse:
    """Show the chat, at one conversation when an id is given."""
    if conversation_id is not None:
        access_conversation(actor=actor, pk=conversation_id)
    name = request.user.name if isinstance(request.user, User) else ""
    context = {
        "conversation": conversation_id or "",
        "page_data": {"examples": EXAMPLES, "name": name},
        "question_bytes": settings.MAX_QUESTION_BYTES,
        "budget": _low_budget(actor),
    }
    return render(request, "conversations/chat.html", context)
