"""Another model behind an assistant changes who answers, and nothing of what is searched or found."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.conversations.models import AnswerRun, Assistant
from chatapp.language_models.catalogue import add_model

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = {"model": "default", "messages": [{"role": "user", "content": "When must visitors register?"}]}


async def test_switching_the_model_finds_the_same_passages(
    library: Any, use_model: Any, rows: Any, api: Any, admin: Any, scripted_model: Any, settings: Any
) -> None:
    settings.MODEL_ADDRESSES = ["127.0.0.1"]
    assistant = await rows(use_model, library.tenant, "scripted-cite", bases=[library.base])
    first = (await api.post("/chat/completions", QUESTION)).json()
    fields = {
        "provider": "openai_compatible", "model": "scripted-invented", "name": "Another", "context_window": 4096,
        "settings": {"api_base": scripted_model.url}, "options": {"seed": 1},
    }  # fmt: skip
    other = await rows(add_model, admin, fields)
    await rows(Assistant.objects.filter(pk=assistant.pk).update, language_model=other)
    second = (await api.post("/chat/completions", QUESTION)).json()
    before, after = [await rows(AnswerRun.objects.get, pk=reply["run"]) for reply in (first, second)]
    assert (before.model, after.model) == ("openai/scripted-cite", "openai/scripted-invented")
    assert first["choices"] != second["choices"]
    assert before.query == after.query
    found = [await api.get(f"/runs/{reply['run']}") for reply in (first, second)]
    passages = [[(each["key"], each["score"]) for each in one.json()["passages"]] for one in found]
    assert passages[0]
    assert passages[0] == passages[1]
