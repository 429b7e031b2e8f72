"""``/chat/completions`` as an OpenAI client reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import AsyncClient

from chatapp.accounts.services import issue_api_key
from chatapp.conversations.models import AnswerRun, Conversation, Message
from knowledge.tenants.models import Membership

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register?"
FIRST = "Visitors register at the front desk before 18:00 and wear a badge on all floors"
SECOND = "Parking is 😀 free for 90 minutes"
PATH = "/chat/completions"


@pytest.fixture
def answering(library: Any, use_model: Any, rows: Any) -> Callable[..., Any]:
    async def use(name: str = "scripted-custom") -> Any:
        await rows(use_model, library.tenant, name, bases=[library.base])
        return library

    return use


@pytest.fixture
def two_sentences(answering: Any, scripted_model: Any) -> Callable[[], Any]:
    async def use() -> Any:
        scripted_model.script([FIRST, " [S1", "]. ", SECOND, " [S1]", "."])
        return await answering()

    return use


def question(text: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "default", "messages": [{"role": "user", "content": text}], **more}


async def chunks_of(response: Any) -> list[Any]:
    assert response["Content-Type"].startswith("text/event-stream")
    body = b"".join([part async for part in response]).decode()
    lines = [block.removeprefix("data: ") for block in body.split("\n\n") if block]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_an_answer_in_one_piece(two_sentences: Any, api: Any, rows: Any) -> None:
    await two_sentences()
    body = (await api.post(PATH, question())).json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "default"
    choice = body["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {"role": "assistant", "content": f"{FIRST}[1]. {SECOND}[1]."}
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0
    assert not body["no_answer"]
    assert body["query"] == QUESTION
    run = await rows(AnswerRun.objects.get)
    assert (body["run"], body["conversation"]) == (str(run.pk), str(run.conversation_id))


async def test_citations_reproduce_the_text_of_the_document(two_sentences: Any, api: Any) -> None:
    await two_sentences()
    body = (await api.post(PATH, question())).json()
    assert body["citations"]
    for citation in body["citations"]:
        text = await api.get(f"/documents/{citation['document']}/versions/{citation['version']}/text")
        assert text.content.decode()[citation["start"] : citation["end"]] == citation["quote"]
        assert {"number", "passage", "title", "page", "boxes", "sentence", "excerpt"} <= set(citation)


async def test_sentences_index_into_the_text_of_the_same_response(two_sentences: Any, api: Any) -> None:
    await two_sentences()
    body = (await api.post(PATH, question())).json()
    content = body["choices"][0]["message"]["content"]
    shown = [content[s["start"] : s["end"]].strip() for s in body["sentences"]]
    assert shown == [f"{FIRST}[1].", f"{SECOND}[1]."]
    run = (await api.get(f"/runs/{body['run']}")).json()
    assert [run["answer"][s["start"] : s["end"]].strip() for s in run["sentences"]] == shown
    conversation = (await api.get(f"/conversations/{body['conversation']}")).json()
    message = conversation["messages"][1]
    canonical = [message["text"][s["start"] : s["end"]].strip() for s in message["run"]["sentences"]]
    assert canonical == [f"{FIRST}\ue0001\ue001.", f"{SECOND}\ue0001\ue001."]


async def test_a_stream_carries_text_then_citations(two_sentences: Any, api: Any) -> None:
    await two_sentences()
    chunks = await chunks_of(await api.post(PATH, question(stream=True)))
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    content = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert content == f"{FIRST}[1]. {SECOND}[1]."
    last = chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert last["citations"]
    assert last["usage"]["completion_tokens"] > 0
    assert content[last["sentences"][1]["start"] : last["sentences"][1]["end"]].strip() == f"{SECOND}[1]."


async def test_a_conversation_is_continued(two_sentences: Any, api: Any, scripted_model: Any) -> None:
    await two_sentences()
    first = (await api.post(PATH, question())).json()
    second = (await api.post(PATH, question("And by car?", conversation=first["conversation"]))).json()
    assert second["conversation"] == first["conversation"]
    roles = [m["role"] for m in scripted_model.calls["requests"][-1]["body"]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    told = (await api.get(f"/conversations/{first['conversation']}")).json()
    assert [m["role"] for m in told["messages"]] == ["user", "assistant"] * 2


async def test_a_conversation_keeps_the_place_where_it_began(
    two_sentences: Any, api: Any, rows: Any, owner: Any, open_chat: Any
) -> None:
    await two_sentences()
    socket = await open_chat(owner)
    from_page = (await socket.ask(QUESTION, client_id="c1"))[0]["conversation"]
    from_api = (await api.post(PATH, question())).json()["conversation"]
    await api.post(PATH, question("And by car?", conversation=from_page))
    await socket.ask("And by car?", client_id="c2", conversation=from_api)
    listed = {row["id"]: row["origin"] for row in (await api.get("/conversations")).json()["items"]}
    assert listed == {from_page: "browser", from_api: "api"}
    sidebar = (await api.get("/conversations?origin=browser")).json()
    assert [row["id"] for row in sidebar["items"]] == [from_page]
    assert sidebar["others"] is True
    assert [row["id"] for row in (await api.get("/conversations?origin=api")).json()["items"]] == [from_api]
    assert (await api.get(f"/conversations/{from_api}")).json()["origin"] == "api"
    assert (await api.get("/conversations?origin=nowhere")).status_code == 422


async def test_nothing_is_said_to_be_elsewhere_when_all_began_on_the_page(
    two_sentences: Any, api: Any, owner: Any, open_chat: Any
) -> None:
    await two_sentences()
    await (await open_chat(owner)).ask(QUESTION, client_id="c1")
    assert (await api.get("/conversations?origin=browser")).json()["others"] is False
    assert (await api.get("/conversations")).json()["others"] is False


async def test_the_history_may_come_with_the_request(two_sentences: Any, api: Any, scripted_model: Any) -> None:
    await two_sentences()
    messages = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Who are visitors?"},
        {"role": "assistant", "content": "People from outside \ue0001\ue001."},
        {"role": "user", "content": [{"type": "text", "text": "When must they register?"}]},
    ]
    body = (await api.post(PATH, {"messages": messages, "temperature": 0.7, "user": "ignored"})).json()
    sent = scripted_model.calls["requests"][-1]["body"]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert "pirate" not in json.dumps(sent), "the assistant's own instructions are the only ones"
    assert "\ue000" not in json.dumps(sent, ensure_ascii=False)
    assert sent[1]["content"] == "Who are visitors?"
    assert "visitors" in body["query"].lower()


async def test_an_extractive_answer_needs_no_model(library: Any, api: Any, rows: Any, tenant: Any) -> None:
    from chatapp.conversations.services import ensure_default_assistant
    from chatapp.language_models.services import sync_environment_model

    model = await rows(sync_environment_model, tenant=tenant)
    await rows(ensure_default_assistant, tenant=tenant, knowledge_bases=[library.base], language_model=model)
    body = (await api.post(PATH, question("How many days of annual leave does an employee have?"))).json()
    assert "27 days" in body["choices"][0]["message"]["content"]
    assert any("27 days" in citation["quote"] for citation in body["citations"])
    assert {s["verdict"] for s in body["sentences"]} <= {"supported", "exempt"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (question(""), 422, "question_refused"),
        (question("x" * 9000), 413, "question_too_long"),
        (question(model="nobody"), 404, "not_found"),
        (question(conversation="00000000-0000-0000-0000-000000000007"), 404, "not_found"),
        (question(conversation="nonsense"), 404, "not_found"),
        (question(knowledge_bases=["nowhere"]), 404, "not_found"),
        ({"messages": []}, 422, "invalid_request"),
        ({"messages": [{"role": "assistant", "content": "I answer"}]}, 422, "unprocessable_entity"),
        ({"messages": [{"role": "user"}]}, 422, "invalid_request"),
        ({"messages": "hello"}, 422, "invalid_request"),
        (question(model="\ud800"), 404, "not_found"),
        (question(knowledge_bases=["\ud800\udbff"]), 404, "not_found"),
        (question(knowledge_bases=["\u0000"]), 404, "not_found"),
        ("{not json", 400, "bad_request"),
        ("[" * 100_000, 400, "bad_request"),
        ("[]", 422, "invalid_request"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_answered_is_a_problem_document(
    body: Any, status: int, code: str, stream: bool, tenant: Any, use_model: Any, api: Any, rows: Any
) -> None:
    await rows(use_model, tenant, "scripted-ok")
    response = await api.post(PATH, {**body, "stream": stream} if isinstance(body, dict) else body)
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["code"] == code
    assert await rows(Message.objects.count) == await rows(Conversation.objects.count) == 0


async def test_half_a_surrogate_pair_is_no_failure(tenant: Any, use_model: Any, api: Any, rows: Any) -> None:
    await rows(use_model, tenant, "scripted-ok")
    body = (await api.post(PATH, question("Who? \ud83d 😀"))).json()
    assert (await api.get(f"/runs/{body['run']}")).json()["question"] == "Who? ? 😀"


async def test_a_body_larger_than_any_question_is_refused(tenant: Any, api: Any, settings: Any) -> None:
    response = await api.post(PATH, question("x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)))
    assert response.status_code == 413
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("scripted-429-after-0", 503, "model_busy"), ("scripted-reset", 503, "model_interrupted"),
     ("scripted-401", 502, "model_not_configured")],
)  # fmt: skip
async def test_a_failing_model_is_a_problem_document(
    model: str, status: int, code: str, answering: Any, api: Any
) -> None:
    await answering(model)
    response = await api.post(PATH, question())
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code


async def test_a_failing_model_ends_a_stream_with_an_error(answering: Any, api: Any) -> None:
    await answering("scripted-reset")
    chunks = await chunks_of(await api.post(PATH, question(stream=True)))
    assert chunks[-1]["error"]["code"] == "model_interrupted"
    assert chunks[-1]["error"]["message"]


def revoke(user: Any, key: Any) -> None:
    from chatapp.accounts.services import revoke_api_key

    revoke_api_key(key=key)


def deactivate(user: Any, key: Any) -> None:
    user.is_active = False
    user.save()


def leave(user: Any, key: Any) -> None:
    Membership.objects.filter(user=user).delete()


def suspend_tenant(user: Any, key: Any) -> None:
    type(key.tenant).objects.update(active=False)


@pytest.mark.parametrize("ending", [revoke, deactivate, leave, suspend_tenant])
async def test_a_key_ends_with_the_right_behind_it(
    ending: Callable[[Any, Any], None], tenant: Any, member: Any, make_api: Any, rows: Any
) -> None:
    row, key = await rows(issue_api_key, user=member, tenant=tenant, name="k")
    api = make_api(key)
    assert (await api.get("/me")).status_code == 200
    await rows(ending, member, row)
    for response in (await api.get("/me"), await api.post(PATH, question())):
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
        assert response.json()["code"] == "not_authenticated"


async def test_requests_beyond_the_rate_are_turned_away(
    tenant: Any, use_model: Any, api: Any, rows: Any, settings: Any
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    await rows(use_model, tenant, "scripted-ok")
    answers = [await api.post(PATH, question("")) for _ in range(8)]
    assert [answer.status_code for answer in answers[:3]] == [422] * 3
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 2, "at most one minute may have turned"
    assert 1 <= int(refused[-1]["Retry-After"]) <= 60
    assert refused[-1].json()["code"] == "too_many_requests"


@pytest.mark.usefixtures("_runs_end")
async def test_the_cookie_of_a_page_needs_its_csrf_token(answering: Any, member: Any, cookie: Any, rows: Any) -> None:
    await answering("scripted-ok")
    client = AsyncClient(enforce_csrf_checks=True)
    name, _, value = (await rows(cookie, member)).partition("=")
    client.cookies[name] = value
    address = f"/api/v1{PATH}"
    body = json.dumps(question())
    assert (await client.get("/api/v1/me")).status_code == 200
    refused = await client.post(address, body, content_type="application/json")
    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"
    token = "a" * 32
    client.cookies["csrftoken"] = token
    allowed = await client.post(address, body, content_type="application/json", headers={"X-CSRFToken": token})
    assert allowed.status_code == 200, allowed.content
