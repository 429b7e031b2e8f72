"""A reader who lost a knowledge base finds nothing of it by any way to an earlier answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from chatapp.conversations.models import AnswerRun
from knowledge.documents.models import KnowledgeBase

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
SAID = ["Visitors register at the front desk before 18:00 and wear a badge on all floors", " [S", "1]", "."]
SECRETS = ("front desk", "Visitor rules", "visitors.md", "18:00")


async def told(api: Any, chat: Any, run: AnswerRun, client: Client, rows: Any) -> dict[str, str]:
    """Return what each way says."""

    async def events(message: dict[str, Any]) -> str:
        await chat.send(**message)
        seen = await chat.until("answer.done", "error")
        return json.dumps(seen) + "".join(event.get("text", "") for event in seen)  # words are cut anywhere

    ways = {
        "run": (await api.get(f"/runs/{run.pk}")).content.decode(),
        "conversation": (await api.get(f"/conversations/{run.conversation_id}")).content.decode(),
        "resumed": await events({"type": "resume", "run": str(run.pk), "seq": 0}),
        "asked again": await events({"type": "ask", "text": QUESTION, "client_id": "one"}),
        "page": (await rows(client.get, f"/c/{run.conversation_id}/")).content.decode(),
        "search": (await rows(client.get, f"/search/?run={run.pk}")).content.decode(),
    }
    return {way: re.sub(r"</?mark>", "", text) for way, text in ways.items()}


async def test_no_way_leads_to_forbidden_words(
    library: Any, use_model: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any, api: Any,
    other_tenant: Any,
) -> None:  # fmt: skip
    scripted_model.script(SAID)
    await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION, client_id="one")
    assert events[-1]["type"] == "answer.done"
    run = await rows(AnswerRun.objects.get)
    client = Client()
    await rows(client.force_login, owner)
    before = await told(api, chat, run, client, rows)
    assert [way for way, text in before.items() if "front desk" not in text] == ["page"]  # which asks the API

    await rows(lambda: KnowledgeBase.objects.filter(pk=library.base.pk).update(tenant=other_tenant))
    for way, text in (await told(api, chat, run, client, rows)).items():
        assert [words for words in SECRETS if words in text] == [], way
    assert await rows(AnswerRun.objects.count) == 1
