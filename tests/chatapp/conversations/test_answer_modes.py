"""Modes of answering and objects over the socket and the API: real store, real Redis, a scripted model over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatapp.conversations import exports, runs
from chatapp.conversations.audit import check
from chatapp.conversations.models import AnswerRun, Assistant, CitationPolicy
from chatapp.conversations.readable import checked_page, page_of_export
from chatapp.conversations.trace import trace_detail
from chatapp.language_models.models import LanguageModel
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

PATH = "/chat/completions"
QUESTION = "When must visitors register at the desk?"
SENTENCE = "Visitors register at the front desk before 18:00 and wear a badge on all floors"
SCHEMA = {
    "type": "object",
    "properties": {"rule": {"type": "string"}, "hour": {"type": "integer"}},
    "required": ["rule", "hour"], "additionalProperties": False,
}  # fmt: skip
WRITTEN = json.dumps({"rule": f"{SENTENCE} [S1].", "hour": 18})


@pytest.fixture
def assistant(library: Any, use_model: Any, scripted_model: Any) -> Callable[..., Any]:
    """Call with what the model writes and fields of the default assistant."""

    def make(written: str, **fields: Any) -> Any:
        scripted_model.script([written[:9], written[9:]])
        use_model(library.tenant, "scripted-custom", bases=[library.base])
        model = LanguageModel.objects.filter(slug="scripted")
        model.update(source=fields.pop("source", "added"), capabilities=fields.pop("capabilities", {}))
        Assistant.objects.filter(tenant=library.tenant, slug="default").update(**fields)
        return library

    return make


def run_row() -> AnswerRun:
    return AnswerRun.objects.select_related("answer", "question").latest("started")


def event(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(each for each in events if each["type"] == kind)


async def test_from_training_nothing_is_searched_and_everything_says_so(
    assistant: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[str] = []
    library = await rows(assistant, f"{SENTENCE} [S1]. Really?", answer_mode="fine_tuned", system_prompt="Be brief.")
    monkeypatch.setattr(runs, "embed_ahead", embedded.append)
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    assert embedded == [], "it may be made far away"
    assert (event(events, "run.started")["answer_mode"], events[-1]["answer_mode"]) == ("fine_tuned", "fine_tuned")
    assert (event(events, "retrieval.done")["query"], event(events, "retrieval.done")["passages"]) == ("", [])
    assert event(events, "sentence.checked")["reasons"] == ["no_sources"]
    assert not {"retrieval", "rewritten", "retrieval.search"} & events[-1]["timings"].keys()
    sent = scripted_model.calls["requests"][-1]["body"]["messages"]
    assert sent == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    run = await rows(run_row)
    assert (run.answer_mode, run.answer.text) == ("fine_tuned", f"{SENTENCE}. Really?")
    assert (run.knowledge_bases, run.retrieval.get("settings"), run.citation_mode) == ([], None, "off")
    assert {sentence["verdict"] for sentence in run.sentences} == {"unchecked"}
    detail = await rows(trace_detail, run, actor=await rows(actor_for, user_id=owner.pk))
    assert (detail["answer_mode"], detail["citations"], detail["passages"]) == ("fine_tuned", [], [])
    assert "No sources were searched" in detail["label"]
    exported = await rows(exports.export, run)
    page = await rows(page_of_export, exported)
    assert "No sources were searched; nothing here was checked." in page
    assert [each for each in checked_page(page) if each.broken] == []
    assert [each for each in await rows(lambda: list(check(library.tenant))) if each.broken] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"answer_mode": "fine_tuned", "citation_mode": "require"}, "needs sources"),
        ({"answer_mode": "hybrid"}, "fine-tuned"),
    ],
    ids=["require", "not trained"],
)
async def test_a_mode_that_does_not_go_is_refused_when_asked(
    fields: dict[str, str], words: str, assistant: Any, api: Any, rows: Any
) -> None:
    await rows(assistant, "x", **fields)
    response = await api.post(PATH, {"model": "default", "messages": [{"role": "user", "content": QUESTION}]})
    assert (response.status_code, response.json()["code"]) == (422, "assistant_refused")
    assert words in response.json()["detail"]
    assert not await rows(AnswerRun.objects.exists)


async def test_a_policy_that_requires_citations_refuses_answers_without_sources(
    assistant: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    library = await rows(assistant, "x", answer_mode="fine_tuned")
    await rows(CitationPolicy.objects.create, tenant=library.tenant, least_mode="require")
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    refused = await chat.error()
    assert refused["code"] == "assistant_refused"
    assert "policy requires citations" in refused["message"]


@pytest.mark.parametrize("fields", [{"source": "fine_tuned"}, {"trained_elsewhere": True}], ids=["entry", "person"])
async def test_hybrid_is_retrieval_with_a_trained_model(
    fields: dict[str, Any], assistant: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(assistant, f"{SENTENCE} [S1].", answer_mode="hybrid", **fields)
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    assert event(events, "retrieval.done")["passages"]
    assert event(events, "sentence.checked")["verdict"] == "supported"
    run = await rows(run_row)
    detail = await rows(trace_detail, run, actor=await rows(actor_for, user_id=owner.pk))
    assert (run.answer_mode, detail["label"]) == ("hybrid", "Fine-tuned model over your documents.")


async def test_an_object_is_checked_shown_and_returned(
    assistant: Any, api: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(assistant, WRITTEN, output_schema=SCHEMA, capabilities={"json_schema": True})
    asked = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
    body = (await api.post(PATH, asked)).json()
    assert body["output"] == {"rule": f"{SENTENCE}.", "hour": 18}
    content = body["choices"][0]["message"]["content"]
    assert json.loads(content) == {"rule": f"{SENTENCE}[1].", "hour": 18}
    assert [(each["verdict"], each["citations"]) for each in body["sentences"]] == [("supported", [1]), ("uncited", [])]
    first = body["sentences"][0]
    assert content[first["start"] : first["end"]] == f"{SENTENCE}[1]."
    assert body["citations"][0]["quote"].startswith("Visitors register")
    sent = scripted_model.calls["requests"][-1]["body"]
    assert sent["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA, "strict": True}
    assert '"rule"' in sent["messages"][0]["content"], "it is described in the prompt too"


async def test_what_never_fits_is_an_error_with_its_words_in_the_trace(
    assistant: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(assistant, "No object.", output_schema=SCHEMA)
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    assert (events[-1]["type"], events[-1]["code"]) == ("run.error", "output_invalid")
    run = await rows(run_row)
    assert run.raw_output == "No object.\n\nNo object."
    assert run.answer.text == ""
    assert run.usage["prompt_tokens"] > 0


async def test_a_caller_may_bring_a_schema_of_its_own(assistant: Any, api: Any, rows: Any) -> None:
    await rows(assistant, '{"only": "this"}')
    schema = {"type": "object", "properties": {"only": {"type": "string"}}}
    asked: dict[str, Any] = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = (await api.post(PATH, {**asked, "response_format": wanted})).json()
    assert body["output"] == {"only": "this"}
    other = await api.post(PATH, {**asked, "response_format": {"type": "json_object"}})
    assert (other.status_code, "not kept to" in other.json()["detail"]) == (422, True)
    wanted["json_schema"]["schema"] = {"type": "object", "properties": {"a": {"pattern": "x"}}}  # type: ignore[index]
    bad = await api.post(PATH, {**asked, "response_format": wanted})
    assert (bad.status_code, bad.json()["code"]) == (422, "schema_refused")
