"""The sockets: who may open one, what they accept, and when they close."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chatapp.conversations import consumers, presence
from chatapp.conversations.models import AnswerRun, Conversation, Message
from knowledge.tenants.models import Membership

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

GONE = str(uuid.UUID(int=7))


@pytest.fixture
def unhurried(settings: Any) -> None:
    settings.SOCKET_MESSAGES_PER_SECOND = 1000


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("not json", None),
        ("", None),
        (None, b'{"type":"ping"}'),
        ("[]", None),
        ("null", None),
        ('"ask"', None),
        ("[" * 100_000, None),
        ('{"type":' + "[" * 50_000, None),
        ("1" * 5_000, None),
        ('{"v":1}', None),
        ('{"v":1,"type":7}', None),
        ('{"v":2,"type":"ping"}', None),
        ('{"v":1,"type":"notice"}', None),
        ('{"v":1,"type":"websocket.disconnect"}', None),
        ('{"v":1,"type":"ping","pad":"' + "x" * 70 * 1024 + '"}', None),
        ('{"v":1,"type":"ask","text":"' + "x" * 1024 * 1024 + '"}', None),
        ('{"v":1,"type":"ask"}', None),
        ('{"v":1,"type":"ask","text":5}', None),
        ('{"v":1,"type":"ask","text":["a"]}', None),
        ('{"v":1,"type":"ask","text":"a","conversation":{}}', None),
        ('{"v":1,"type":"ask","text":"a","knowledge_bases":"all"}', None),
        ('{"v":1,"type":"ask","text":"a","knowledge_bases":[1]}', None),
        ('{"v":1,"type":"ask","text":"a","knowledge_bases":["\\ud800"]}', None),
        ('{"v":1,"type":"ask","text":"a","assistant":"\\ud800"}', None),
        ('{"v":1,"type":"ask","text":"a","client_id":"\\udfff"}', None),
        ('{"v":1,"type":"ask","text":"a","conversation":"\\u0000"}', None),
        ('{"v":1,"type":"stop"}', None),
        ('{"v":1,"type":"resume","seq":1}', None),
    ],
)
async def test_a_bad_frame_is_answered_and_the_socket_lives(
    text: str | None, data: bytes | None, member: Any, open_chat: Any
) -> None:
    chat = await open_chat(member)
    await chat.send_raw(text, data)
    error = await chat.error()
    assert error["code"] == "bad_message"
    assert error["message"].endswith(".")
    assert await chat.alive()


@pytest.mark.parametrize("seq", ["NaN", "Infinity", "-1", "1.5", '"1"', "true", "null", "99999999999999999999"])
async def test_resume_needs_a_number(
    seq: str, library: Any, use_model: Any, member: Any, open_chat: Any, rows: Any
) -> None:
    await rows(use_model, library.tenant, "scripted-ok", bases=[library.base])
    chat = await open_chat(member)
    run = (await chat.ask("Where is the yard?"))[0]["run"]
    await chat.send_raw(f'{{"v":1,"type":"resume","run":"{run}","seq":{seq}}}')
    assert (await chat.error())["code"] == "bad_message"
    assert await chat.alive()


@pytest.mark.parametrize(
    ("question", "code"),
    [("", "question_refused"), (" \n\t", "question_refused"), ("\ud800\udc00"[:1], "question_refused"),
     ("\ue000\u0007", "question_refused"), ("é" * 4097, "question_too_long")],
)  # fmt: skip
async def test_a_question_that_cannot_be_asked_is_refused(
    question: str, code: str, tenant: Any, use_model: Any, member: Any, open_chat: Any, rows: Any
) -> None:
    await rows(use_model, tenant, "scripted-ok")
    chat = await open_chat(member)
    await chat.send(type="ask", text=question, client_id="c1")
    error = await chat.error()
    assert (error["code"], error["client_id"]) == (code, "c1")
    assert await chat.alive()
    assert await rows(Message.objects.count) == await rows(Conversation.objects.count) == 0


@pytest.fixture
def foreign(other_tenant: Any, make_user: Any) -> Callable[[], dict[str, str]]:
    """Rows of another tenant: the id of a conversation, its run, a knowledge base."""
    from django.utils import timezone

    from knowledge.documents.services import create_knowledge_base
    from knowledge.tenants.access import system_actor

    def make() -> dict[str, str]:
        stranger = make_user("stranger@globex.test", tenant=other_tenant)
        base = create_knowledge_base(actor=system_actor(other_tenant), name="Secret")
        conversation = Conversation.objects.create(tenant=other_tenant, user=stranger, title="Secret")
        asked = Message.objects.create(conversation=conversation, role="user", text="secret")
        answer = Message.objects.create(conversation=conversation, role="assistant", text="secret")
        run = AnswerRun.objects.create(
            tenant=other_tenant, conversation=conversation, question=asked, answer=answer, heartbeat=timezone.now()
        )
        return {"conversation": str(conversation.pk), "run": str(run.pk), "base": str(base.pk)}

    return make


async def test_ids_of_another_tenant_do_not_exist(
    foreign: Any, tenant: Any, use_model: Any, member: Any, open_chat: Any, rows: Any, unhurried: None
) -> None:
    ids = await rows(foreign)
    await rows(use_model, tenant, "scripted-ok")
    chat = await open_chat(member)

    async def error_of(**message: Any) -> dict[str, Any]:
        await chat.send(**message)
        error: dict[str, Any] = await chat.error()
        return error

    for kind in ("stop", "resume"):
        assert await error_of(type=kind, run=ids["run"]) == await error_of(type=kind, run=GONE)
    for field, name in (("conversation", "conversation"), ("knowledge_bases", "base")):
        answers = [
            await error_of(type="ask", text="What?", **{field: [one] if field == "knowledge_bases" else one})
            for one in (ids[name], GONE)
        ]
        assert answers[0] == answers[1]
        assert answers[0]["code"] == "not_found"
    assert (await error_of(type="ask", text="What?", assistant="nobody"))["code"] == "not_found"
    assert await rows(AnswerRun.objects.count) == 1
    assert await chat.alive()


async def test_a_run_of_a_colleague_is_not_readable(
    library: Any, use_model: Any, owner: Any, member: Any, open_chat: Any, rows: Any
) -> None:
    await rows(use_model, library.tenant, "scripted-ok", bases=[library.base])
    run = (await (await open_chat(owner)).ask("Where is the yard?"))[0]["run"]
    chat = await open_chat(member)
    await chat.send(type="resume", run=run, seq=0)
    assert (await chat.error())["code"] == "not_found"


async def test_another_spelling_of_an_id_is_no_second_door(member: Any, open_chat: Any) -> None:
    chat = await open_chat(member)
    for spelling in (GONE.upper(), GONE.replace("-", ""), f"{{{GONE}}}", f"urn:uuid:{GONE}", "x" * 5000):
        await chat.send(type="stop", run=spelling)
        assert (await chat.error())["code"] == "not_found"


async def test_messages_beyond_the_rate_are_refused(member: Any, open_chat: Any) -> None:
    chat = await open_chat(member)
    for _ in range(15):
        await chat.send(type="ping")
    answers = [await chat.receive() for _ in range(15)]
    assert 5 <= sum(answer["type"] == "pong" for answer in answers) <= 10
    assert answers[-1]["code"] == "bad_message"
    await asyncio.sleep(0.5)
    assert await chat.alive(), "the allowance comes back"


async def test_many_bad_frames_close_the_socket(member: Any, open_chat: Any, unhurried: None) -> None:
    chat = await open_chat(member)
    for _ in range(consumers.MAX_BAD_FRAMES):
        await chat.send_raw("nonsense")
    assert await chat.closed() == consumers.TOO_MANY_ERRORS


async def test_an_unexpected_failure_leaves_the_socket_open(
    member: Any, open_chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(consumers.access, "access_run", broken)
    chat = await open_chat(member)
    await chat.send(type="stop", run=GONE)
    error = await chat.error()
    assert error["code"] == "unexpected"
    assert "secret" not in json.dumps(error)
    assert await chat.alive()


async def test_the_eleventh_socket_of_a_person_is_closed(
    member: Any, owner: Any, open_chat: Any, settings: Any
) -> None:
    settings.SOCKETS_PER_USER = 3
    held = [await open_chat(member) for _ in range(3)]
    assert await (await open_chat(member)).closed() == consumers.TOO_MANY_SOCKETS
    assert await (await open_chat(owner)).alive(), "others are not concerned"
    await held[0].close()
    assert await (await open_chat(member)).alive()


@pytest.mark.usefixtures("_runs_end")
async def test_slots_of_a_process_that_died_come_free(
    member: Any, redis_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SOCKETS_PER_USER = 1
    monkeypatch.setattr(presence, "SLOT_SECONDS", 1)
    slot = await presence.take_slot(user_id=member.pk)
    assert slot
    assert await presence.take_slot(user_id=member.pk) is None
    for _ in range(3):
        await asyncio.sleep(0.5)
        await presence.keep_slot(user_id=member.pk, slot=slot)
    assert await presence.take_slot(user_id=member.pk) is None, "a socket that is open keeps its slot"
    await asyncio.sleep(1.1)
    assert await presence.take_slot(user_id=member.pk)


def end_session(user: Any) -> None:
    from django.contrib.sessions.models import Session

    Session.objects.all().delete()


def end_membership(user: Any) -> None:
    Membership.objects.filter(user=user).delete()


def deactivate(user: Any) -> None:
    type(user).objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: Any) -> None:
    user.set_password("another horse")
    user.save()


@pytest.mark.parametrize("ending", [end_session, end_membership, deactivate, change_password])
async def test_the_socket_closes_soon_after_the_right_to_it_ended(
    ending: Callable[[Any], None], member: Any, open_chat: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert consumers.RECHECK_SECONDS <= 5
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.2)
    chat = await open_chat(member)
    await asyncio.sleep(0.5)
    assert await chat.alive()
    await rows(ending, member)
    began = time.monotonic()
    assert await chat.closed(limit=5) == consumers.NOT_SIGNED_IN
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://evil.test",
        "http://testserver.evil.test",
        "http://eviltestserver",
        "http://testserver:8001",
        "http://testserver@evil.test",
        "http://evil.test#testserver",
        "http://evil.test/testserver",
        "file://testserver",
        "chrome-extension://testserver",
        "//testserver",
        "testserver",
        "http://testserver\\.evil.test",
        "http://[::1",
        "http://testsérver",
    ],
)
async def test_pages_of_other_origins_are_refused(
    origin: str | None, member: Any, make_socket: Any, cookie: Any, rows: Any
) -> None:
    socket = make_socket(cookie=await rows(cookie, member), origin=origin)
    assert await socket.open() == (False, 4403)


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/notices/"])
async def test_nobody_signed_in_is_refused(path: str, make_socket: Any, redis_server: Any, db: None) -> None:
    assert await make_socket(path=path).open() == (False, consumers.NOT_SIGNED_IN)
    assert await make_socket(path=path, cookie="sessionid=invented").open() == (False, consumers.NOT_SIGNED_IN)


async def test_a_person_without_membership_is_refused(make_user: Any, make_socket: Any, cookie: Any, rows: Any) -> None:
    alone = await rows(make_user, "alone@nowhere.test")
    socket = make_socket(cookie=await rows(cookie, alone))
    assert await socket.open() == (False, consumers.NOT_SIGNED_IN)


async def test_notices_reach_only_the_own_tenant(
    member: Any, other_tenant: Any, make_user: Any, make_socket: Any, cookie: Any, rows: Any, make_library: Any
) -> None:
    stranger = await rows(make_user, "stranger@globex.test", tenant=other_tenant)
    mine = make_socket(cookie=await rows(cookie, member), path="/ws/notices/")
    theirs = make_socket(cookie=await rows(cookie, stranger), path="/ws/notices/")
    assert (await mine.open())[0]
    assert (await theirs.open())[0]
    library = await rows(make_library, (await rows(lambda: Membership.objects.get(user=member).tenant)))
    ready: set[str] = set()
    while len(ready) < 2:
        notice = await mine.receive()
        assert notice["v"] == 1
        if notice.get("status") == "ready":
            ready.add(notice["document"])
    assert ready == {str(document.pk) for document in library.documents}
    assert await theirs.alive()
    assert await theirs.socket.receive_nothing(timeout=0.3)


async def test_the_notices_socket_takes_no_questions(member: Any, make_socket: Any, cookie: Any, rows: Any) -> None:
    socket = make_socket(cookie=await rows(cookie, member), path="/ws/notices/")
    await socket.open()
    await socket.send(type="ask", text="What?")
    assert (await socket.error())["code"] == "bad_message"
    await socket.send(type="notice", payload={"document": "forged"})
    assert (await socket.error())["code"] == "bad_message"
