"""What questions cost: the ledger of a run, and what a budget that is used up does to the next question."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from chatapp.conversations.models import AnswerRun, Conversation
from chatapp.language_models.models import Budget, LanguageModel, UsageEntry
from chatapp.language_models.resolving import chain_of
from chatapp.language_models.usage import record
from knowledge.llm import Metered, ModelSettings, Usage
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"


@pytest.fixture
def priced(library: Any, use_model: Any) -> Any:
    """Call to set up a model that costs half a dollar a token."""

    def make(scripted: str = "scripted-ok", **fields: Any) -> LanguageModel:
        model: LanguageModel = use_model(library.tenant, scripted, bases=[library.base]).language_model
        model.price_prompt = model.price_completion = Decimal(1_000_000) / 2
        for field, value in fields.items():
            setattr(model, field, value)
        model.save()
        return model

    return make


async def test_a_question_beyond_the_budget_is_refused_and_stored_nowhere(
    priced: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any, api: Any
) -> None:
    model = await rows(priced)
    await rows(Budget.objects.create, tenant=model.tenant, dollars=1)
    chat = await open_chat(owner)
    first = await chat.ask(QUESTION, client_id="one")
    assert first[-1]["type"] == "answer.done"
    refused = await chat.ask(QUESTION, client_id="two")
    assert (refused[-1]["type"], refused[-1]["code"]) == ("error", "budget_exhausted")
    assert refused[-1]["message"].startswith("The budget of your organisation for ")
    response = await api.post("/chat/completions", {"messages": [{"role": "user", "content": QUESTION}]})
    assert (response.status_code, response.json()["code"]) == (429, "budget_exhausted")
    assert 0 < int(response.headers["Retry-After"]) <= 31 * 86_400
    assert await rows(AnswerRun.objects.count) == 1
    assert await rows(Conversation.objects.count) == 1
    assert scripted_model.calls["total"] == 1
    assert await chat.ask(QUESTION, client_id="one") == first, "what was answered before is shown again"


async def test_writing_the_question_anew_is_a_call_of_its_own(
    priced: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(priced, "scripted-custom")
    scripted_model.script(["Until when must visitors register at the front desk?"])
    chat = await open_chat(owner)
    first = await chat.ask(QUESTION)
    second = await chat.ask("Until when?", conversation=first[0]["conversation"])
    entries = await rows(lambda: list(UsageEntry.objects.filter(run_ref=second[0]["run"]).order_by("pk")))
    assert sorted(each.purpose for each in entries) == ["answer", "rewrite"]
    run = await rows(AnswerRun.objects.get, pk=second[0]["run"])
    assert run.usage["prompt_tokens"] == sum(each.prompt_tokens for each in entries)
    assert run.usage["cost"]["total"] == pytest.approx(float(sum(each.cost for each in entries)))


async def test_the_key_that_asked_is_written_down(priced: Any, rows: Any, api: Any) -> None:
    await rows(priced)
    await api.post("/chat/completions", {"messages": [{"role": "user", "content": QUESTION}]})
    entry = await rows(UsageEntry.objects.select_related("api_key").get)
    assert entry.api_key.name == "test"


async def test_a_conversation_stays_with_its_version_and_says_which(
    priced: Any, owner: Any, open_chat: Any, rows: Any, api: Any
) -> None:
    active = await rows(priced, "scripted-ok", name="Version 1")

    def canary() -> LanguageModel:
        other = LanguageModel.objects.create(
            tenant=active.tenant, slug="v2", name="Version 2", model="openai/scripted-ok-size-22", source="fine_tuned",
            api_base=active.api_base,
        )  # fmt: skip
        alias = LanguageModel.objects.create(
            tenant=active.tenant, slug="ours", name="Ours", source="fine_tuned", target=active, canary=other,
            canary_share=50,
        )  # fmt: skip
        active.tenant.assistants.update(language_model=alias)
        return alias

    alias = await rows(canary)
    chat = await open_chat(owner)
    for _ in range(2):
        first = await chat.ask(QUESTION)
        second = await chat.ask(QUESTION, conversation=first[0]["conversation"])
        (expected, *_) = await rows(chain_of, alias, sticky=first[0]["conversation"])
        assert [events[-1]["answered_by"] for events in (first, second)] == [expected.name, expected.name]
        assert second[-1]["in_place_of"] == ""
        run = (await api.get(f"/runs/{first[0]['run']}")).json()
        assert (run["model"], run["answered_by"]) == (expected.model, expected.name)


async def test_a_call_is_charged_though_its_model_was_deleted_meanwhile(owner: Any, tenant: Any, rows: Any) -> None:
    actor = await rows(actor_for, user_id=owner.pk)
    used = Usage(prompt_tokens=3, completion_tokens=4, estimated=False)
    gone = ModelSettings(model="openai/gone", entry="999999")
    await rows(record, [Metered(settings=gone, status="ok", usage=used)], actor=actor, purpose="answer")
    entry = await rows(UsageEntry.objects.get)
    assert (entry.language_model_id, entry.model, entry.prompt_tokens) == (None, "openai/gone", 3)


async def test_a_streaming_caller_is_told_who_answered_in_place_of_whom(
    priced: Any, rows: Any, api: Any, scripted_model: Any
) -> None:
    def backed() -> None:
        model = priced("scripted-503", name="Main")
        model.fallback = LanguageModel.objects.create(
            tenant=model.tenant, slug="backup", name="Backup", model="openai/scripted-ok", api_base=model.api_base,
            source="added",
        )  # fmt: skip
        model.save()

    await rows(backed)
    body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
    response = await api.post("/chat/completions", body)
    lines = [line async for part in response.streaming_content for line in part.decode().splitlines() if line]
    last = json.loads(lines[-2].removeprefix("data: "))
    assert (last["answered_by"], last["in_place_of"]) == ("Backup", "Main")
