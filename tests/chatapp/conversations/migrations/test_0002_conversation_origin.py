"""Conversations of the release before: those of the chat page are told from those of programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from migrated import migrate, models_at

from chatapp.conversations.models import Conversation

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = [("conversations", "0001_initial")], [("conversations", "0002_conversation_origin")]


before = models_at(BEFORE)


def test_conversations_without_a_message_of_the_page_began_elsewhere(before: Any, tenant: Any, owner: Any) -> None:
    make: Callable[..., Any] = before.get_model("conversations", "Conversation").objects.create
    message = before.get_model("conversations", "Message").objects.create
    page, program = (make(tenant_id=tenant.pk, user_id=owner.pk, title=name) for name in ("page", "program"))
    message(conversation=page, role="user", text="Who?", client_id="c1")
    message(conversation=page, role="assistant", text="You.")
    message(conversation=program, role="user", text="Who?")
    migrate(AFTER)
    assert dict(Conversation.objects.values_list("title", "origin")) == {"page": "browser", "program": "api"}
