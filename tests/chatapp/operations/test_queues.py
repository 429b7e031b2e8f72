"""Queues that nobody takes from, and workers that are alive and deaf, are named in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.worker import state

from chatapp.operations import parts, queues, tasks

ALL = ["ingest", "maintenance", "evaluation", "training"]


@pytest.fixture
def client(redis_server: Any) -> Iterator[Any]:
    with parts.quick_redis() as found:
        yield found


def hear(client: Any, *, seconds_ago: float) -> None:
    for name in ALL:
        client.set(f"footnote:queue:{name}:canary", time.time() - seconds_ago)


def test_a_queue_without_a_consumer_is_named(client: Any) -> None:
    queues.say_alive(client, ["maintenance", "evaluation", "training"], busy=False, starts=True)
    part = parts.queues()
    assert not part.ok
    assert part.detail.startswith("No worker takes from the queue 'ingest'.")
    assert "maintenance" not in part.detail


def test_workers_on_several_machines_share_the_queues(client: Any) -> None:
    queues.say_alive(client, ["ingest"], busy=True, starts=True)
    queues.say_alive(client, ["maintenance", "evaluation", "training"], busy=False, starts=True)
    part = parts.queues()
    assert (part.ok, part.detail, part.version) == (True, "", "4, canary 0 s ago")


def test_a_worker_that_is_gone_is_missed(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "ALIVE_SECONDS", 1)
    queues.say_alive(client, ALL, busy=False, starts=True)
    assert parts.queues().ok
    time.sleep(1.2)
    assert not parts.queues().ok


def test_a_deaf_worker_is_told_from_a_busy_one(client: Any) -> None:
    queues.say_alive(client, ALL, busy=False)
    hear(client, seconds_ago=queues.DEAF_SECONDS - 10)
    assert parts.queues().ok
    hear(client, seconds_ago=queues.DEAF_SECONDS + 10)
    part = parts.queues()
    assert not part.ok
    assert "A worker listens to the queue 'ingest', but nothing came through for 21" in part.detail
    queues.say_alive(client, ALL, busy=True)
    assert parts.queues().ok
    for name in ALL:
        client.delete(f"footnote:queue:{name}:busy")
        tasks.canary(queue=name)
    assert parts.queues().ok


def test_a_worker_writes_the_queues_it_takes_from(client: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(current_app.amqp.queues, "_consume_from", {"ingest": None})  # as -Q ingest does
    monkeypatch.setattr(state, "active_requests", {1, 2})
    settings.WORKER_CONCURRENCY = 2
    tasks._starts()
    found = {queue.name: queue for queue in queues.look(client)}
    assert (found["ingest"].consumed, found["ingest"].busy) == (True, True)
    assert found["ingest"].canary == pytest.approx(0, abs=5)
    assert not found["maintenance"].consumed
    assert client.exists(parts.WORKER_ALIVE)


def test_a_worker_that_trains_is_busy_with_one_task_and_is_not_the_worker(
    client: Any, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:  # fmt: skip
    monkeypatch.setattr(current_app.amqp.queues, "_consume_from", {"training": None})
    monkeypatch.setattr(state, "active_requests", {1})
    monkeypatch.setattr(tasks, "_processes", 0)
    settings.WORKER_CONCURRENCY = 2
    tasks._starts(sender=SimpleNamespace(pool=SimpleNamespace(limit=1)))
    found = {queue.name: queue for queue in queues.look(client)}
    assert (found["training"].consumed, found["training"].busy) == (True, True)
    assert not client.exists(parts.WORKER_ALIVE)


def test_a_redis_that_is_away_does_not_end_the_heartbeat(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_URL = "unix:///nowhere.sock?db=0"
    tasks._alive()
    assert "could not write its sign of life" in caplog.text
