"""Runs outlive sockets, processes and Redis; somebody always tells how they ended."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis
from django.utils import timezone

from chatapp.conversations import events, services, tasks
from chatapp.conversations.models import AnswerRun, Conversation, Message
from chatapp.conversations.runs import RunManager, manager
from chatapp.conversations.services import Ask
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "Where may guests park?"


@pytest.fixture
def ask(library: Any, use_model: Any, owner: Any, rows: Any, _runs_end: None) -> Callable[..., Any]:
    """Await with a scripted model's name to start a run; returns its row."""

    async def start(model: str, **more: Any) -> AnswerRun:
        await rows(use_model, library.tenant, model, bases=[library.base])
        actor = await rows(actor_for, user_id=owner.pk)
        return (await manager().start(actor=actor, ask=Ask(text=QUESTION, **more))).run

    return start


async def told(source: RunManager, run: AnswerRun, *, after: int = 0, limit: float = 10) -> list[dict[str, Any]]:
    async with asyncio.timeout(limit):
        return [event async for event in source.follow(run=run, after=after)]


async def fresh(run: AnswerRun, rows: Any) -> AnswerRun:
    found: AnswerRun = await rows(AnswerRun.objects.select_related("answer").get, pk=run.pk)
    return found


async def settled() -> None:
    """Wait until the runs here have also written their last event to Redis."""
    while manager()._tasks:
        await asyncio.sleep(0.01)


def text_of(told: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in told if event["type"] == "answer.delta")


async def test_another_process_reads_the_run_from_redis(ask: Any, rows: Any) -> None:
    run = await ask("scripted-slow-ms-20")
    here, elsewhere = await asyncio.gather(told(manager(), run), told(RunManager(), run))
    assert here == elsewhere
    assert here[-1]["type"] == "answer.done"
    late = await told(RunManager(), run, after=3)
    assert late == here[3:]


async def test_a_run_whose_stream_is_gone_is_read_from_the_database(ask: Any, rows: Any, redis_server: Any) -> None:
    run = await ask("scripted-ok")
    here = await told(manager(), run)
    await settled()
    redis.Redis(unix_socket_path=str(redis_server.socket)).flushall()
    began = time.monotonic()
    assert await told(RunManager(), await fresh(run, rows), after=2) == here[2:]
    assert time.monotonic() - began < 1, "a run that is over is not waited for"
    assert await told(RunManager(), run, after=2) == here[2:], "also for somebody who thinks that it still runs"


async def test_a_run_whose_stream_is_lost_is_awaited(ask: Any, redis_server: Any) -> None:
    run = await ask("scripted-slow-ms-300")
    reader = asyncio.create_task(told(RunManager(), run, limit=20))
    await asyncio.sleep(0.6)
    redis.Redis(unix_socket_path=str(redis_server.socket)).flushall()
    assert await reader == await told(manager(), run), "nothing twice, nothing left out"


async def test_the_stream_expires_after_the_run(ask: Any, redis_server: Any) -> None:
    run = await ask("scripted-ok")
    await told(manager(), run)
    await settled()
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        assert 0 < client.ttl(events.stream_key(str(run.pk))) <= events.KEEP_SECONDS


async def test_stopping_the_process_ends_runs_in_words(ask: Any, rows: Any) -> None:
    run = await ask("scripted-endless")
    reader = asyncio.create_task(told(manager(), run))
    async for event in manager().follow(run=run, after=0):
        if event["type"] == "answer.delta":
            break  # something is written now
    began = time.monotonic()
    await manager().shutdown()
    assert time.monotonic() - began < 3
    row = await fresh(run, rows)
    assert (row.status, row.error_code) == ("failed", "interrupted")
    assert "interrupted" in row.error_message
    assert row.answer.text
    assert (await reader)[-1]["retry"] is True
    assert row.answer.text == text_of(await reader)


@pytest.mark.usefixtures("_runs_end")
async def test_a_caller_that_goes_away_early_leaves_a_run_that_is_executed(
    library: Any, use_model: Any, owner: Any, rows: Any, eventually: Any
) -> None:
    await rows(use_model, library.tenant, "scripted-ok", bases=[library.base])
    actor = await rows(actor_for, user_id=owner.pk)
    caller = asyncio.create_task(manager().start(actor=actor, ask=Ask(text=QUESTION)))
    await asyncio.sleep(0)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    await eventually(lambda: AnswerRun.objects.filter(status="done").exists())


async def test_a_heartbeat_that_cannot_be_written_does_not_end_the_ticker(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    beats: list[int] = []

    def broken(running: list[str]) -> None:
        beats.append(len(running))
        raise OperationalError("database is locked")

    monkeypatch.setattr("chatapp.conversations.runs.HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(RunManager, "_beat", staticmethod(broken))
    run = await ask("scripted-endless")
    await asyncio.sleep(1)
    assert len(beats) > 1
    await RunManager().stop(run=str(run.pk))
    assert (await told(manager(), run))[-1]["status"] == "stopped", "stop requests are still seen"


async def test_a_run_that_cannot_be_stored_still_ends_for_its_reader(
    ask: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(services, "store_outcome", broken)
    run = await ask("scripted-ok")
    last = (await told(manager(), run))[-1]
    assert (last["type"], last["code"]) == ("run.error", "unexpected")
    assert "disk" not in last["message"]
    await rows(AnswerRun.objects.filter(pk=run.pk).update, heartbeat=timezone.now() - timedelta(minutes=1))
    await asyncio.to_thread(tasks.sweep_runs)
    row = await fresh(run, rows)
    assert (row.status, row.error_code) == ("failed", "unexpected")
    assert row.events[-1] == last, "one end, the one that was told"


# --- a process that died ------------------------------------------------------------------------


@pytest.fixture
def abandoned(tenant: Any, owner: Any, redis_server: Any) -> Callable[..., AnswerRun]:
    """Call to get a running run whose process died after it had sent a few events."""

    def make(*, seconds: float = 60, sent: bool = True) -> AnswerRun:
        conversation = Conversation.objects.create(tenant=tenant, user=owner, title="t")
        asked = Message.objects.create(conversation=conversation, role="user", text="q")
        answer = Message.objects.create(conversation=conversation, role="assistant")
        run = AnswerRun.objects.create(
            tenant=tenant, conversation=conversation, question=asked, answer=answer,
            heartbeat=timezone.now() - timedelta(seconds=seconds),
        )  # fmt: skip
        if sent:
            asyncio.run(write(str(run.pk)))
        return run

    async def write(run: str) -> None:
        log = events.RunLog(run)
        await log.emit("run.started")
        await log.emit("answer.delta", text="Guests may ")
        await log.emit("answer.delta", text="park ")
        await log.written()
        await events.close()

    return make


async def test_an_abandoned_run_is_ended_with_words_and_its_text(abandoned: Any, rows: Any) -> None:
    run = await rows(abandoned)
    reader = asyncio.create_task(told(RunManager(), run))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(tasks.sweep_runs)
    row = await fresh(run, rows)
    assert (row.status, row.error_code) == ("failed", "interrupted")
    assert "Ask again" in row.error_message
    assert row.answer.text == "Guests may park "
    assert row.finished
    assert [event["seq"] for event in row.events] == [1, 2, 3, 4]
    assert await reader == row.events, "a reader who waits is told at once"


async def test_an_abandoned_run_without_a_stream_is_ended_too(abandoned: Any, rows: Any) -> None:
    run = await rows(abandoned, sent=False)
    await asyncio.to_thread(tasks.sweep_runs)
    row = await fresh(run, rows)
    assert row.status == "failed"
    assert [event["type"] for event in await told(RunManager(), row)] == ["run.error"]


async def test_a_run_that_is_written_to_is_left_alone(abandoned: Any, rows: Any) -> None:
    run = await rows(abandoned, seconds=tasks.ABANDONED_SECONDS - 10)
    await asyncio.to_thread(tasks.sweep_runs)
    assert (await fresh(run, rows)).status == "running"


async def test_what_comes_after_the_sweep_changes_nothing(abandoned: Any, rows: Any) -> None:
    run = await rows(abandoned)
    await asyncio.to_thread(tasks.sweep_runs)
    late = services.Outcome(status="done", text="too late")
    await rows(services.store_outcome, run=run, outcome=late, events=[])
    row = await fresh(run, rows)
    assert (row.status, row.answer.text) == ("failed", "Guests may park ")


# --- Redis goes away ------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def own_redis(settings: Any, _runs_end: None) -> AsyncIterator[Any]:
    """A Redis of the test's own, which it may kill."""
    from chatapp.operations.redis_server import EmbeddedRedis

    with tempfile.TemporaryDirectory(prefix="fn-") as folder:
        server = EmbeddedRedis(Path(folder))
        server.start()
        await events.close()
        settings.REDIS_URL = server.url
        yield server
        await manager().shutdown()
        server.stop()


async def test_a_reader_here_gets_the_whole_answer_when_redis_dies(
    own_redis: Any, ask: Any, rows: Any, open_chat: Any, owner: Any
) -> None:
    chat = await open_chat(owner)
    run = await ask("scripted-slow-ms-60")
    await chat.send(type="resume", run=str(run.pk), seq=0)
    seen = await chat.until("answer.delta")
    own_redis.stop()
    died = time.monotonic()
    seen += await chat.until("answer.done")
    assert time.monotonic() - died < 4, "nobody waits for a Redis that is away"
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    row = await fresh(run, rows)
    assert row.status == "done"
    assert row.answer.text == text_of(seen)
    assert await chat.alive()
    await chat.send(type="resume", run=str(run.pk), seq=2)
    assert await chat.until("answer.done") == seen[2:]


async def test_a_question_is_answered_without_redis(own_redis: Any, ask: Any, rows: Any) -> None:
    own_redis.stop()
    run = await ask("scripted-ok")
    assert (await told(manager(), run))[-1]["type"] == "answer.done"
    assert (await told(RunManager(), await fresh(run, rows)))[-1]["type"] == "answer.done"


async def test_a_reader_elsewhere_is_told_the_end_when_redis_dies(own_redis: Any, ask: Any) -> None:
    run = await ask("scripted-slow-ms-100")
    reader = asyncio.create_task(told(RunManager(), run, limit=20))
    await asyncio.sleep(0.6)
    own_redis.stop()
    seen = await reader
    assert seen[-1]["type"] == "answer.done"
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))


async def test_a_stop_that_cannot_be_delivered_is_told(
    own_redis: Any, abandoned: Any, rows: Any, open_chat: Any, owner: Any
) -> None:
    run = await rows(abandoned, sent=False)
    chat = await open_chat(owner)
    own_redis.stop()
    await chat.send(type="stop", run=str(run.pk))
    assert (await chat.error())["code"] == "unexpected"
    assert await chat.alive()


async def test_a_reader_leaves_no_connection_when_the_process_stops(own_redis: Any) -> None:
    run = "a run of another process"
    reader = asyncio.create_task(anext(events.read_stream(run, 0)))
    with redis.Redis(unix_socket_path=str(own_redis.socket)) as server:
        while len(server.client_list()) < 2:
            await asyncio.sleep(0.01)
        await events.close()
        async with asyncio.timeout(20):  # what was in flight asks once more
            while len(server.client_list()) < 2:
                await asyncio.sleep(0.01)
        server.xadd(events.stream_key(run), {"e": '{"type": "run.error", "seq": 1}'}, id="1-0")
        assert (await reader)["type"] == "run.error"
        async with asyncio.timeout(20):
            while len(server.client_list()) > 1:
                await asyncio.sleep(0.01)
