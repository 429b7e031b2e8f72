"""Runs live here, not in a socket: a task per run in the web process, stopped only by request or deadline.

One ticker per process renews the heartbeats of its runs and looks for stop requests that came in
elsewhere. A run whose process died keeps an old heartbeat; ``tasks.sweep_runs`` ends it in words.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from chatapp.conversations import access, events, services
from chatapp.conversations.database import in_thread, in_thread_by
from chatapp.conversations.engine import Engine
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.services import Ask, StartedRun
from knowledge import llm
from knowledge.documents.searching import embed_ahead
from knowledge.tenants.access import Actor

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.3
HEARTBEAT_SECONDS = 5.0


class RunManager:
    """The runs of one process (one event loop)."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting: set[asyncio.Task[StartedRun]] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def start(self, *, actor: Actor, ask: Ask) -> StartedRun:
        """Store the question and start answering it; the caller may go away at any time.

        :raises KnowledgeError: the question was refused or something it names is not there.
        """
        # A caller that goes away while the question is being stored must not leave a run nobody executes.
        task = asyncio.create_task(self._start(actor, ask, time.perf_counter()))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return await asyncio.shield(task)

    async def _start(self, actor: Actor, ask: Ask, arrived: float) -> StartedRun:
        ahead = asyncio.create_task(in_thread_by(arrived, partial(_embed_ahead, actor=actor, ask=ask)))
        ahead.add_done_callback(lambda done: done.cancelled() or done.exception())  # the search says what is wrong
        started = await in_thread_by(arrived, partial(services.start_run, actor=actor, ask=ask))
        run = str(started.run.pk)
        if not started.resumed:
            engine = Engine(started, arrived=arrived)
            self._engines[run] = engine
            task = asyncio.create_task(engine.execute(), name=f"run {run}")
            self._tasks[run] = task
            task.add_done_callback(lambda _: self._forget(run))
            if self._ticker is None or self._ticker.done():
                self._ticker = asyncio.create_task(self._tick(), name="runs ticker")
        return started

    def _forget(self, run: str) -> None:
        self._tasks.pop(run, None)
        # The log stays a little longer, so that sockets here finish reading it without Redis.
        asyncio.get_running_loop().call_later(30, self._engines.pop, run, None)

    async def stop(self, *, run: str) -> None:
        """Stop a run wherever it is; a run that is over is left alone."""
        if run in self._tasks:
            self._engines[run].stop()
        else:
            await events.request_stop(run)

    async def follow(self, *, run: AnswerRun, after: int) -> AsyncIterator[dict[str, Any]]:
        """Yield the run's events with numbers above ``after``, from here, from Redis or from the database."""
        local = self._engines.get(str(run.pk))
        if local is not None:
            async for event in local.log.read(after):
                yield event
            return
        seen = after
        while run.status == AnswerRun.Status.RUNNING:
            try:
                async for event in events.read_stream(str(run.pk), seen):
                    seen = event["seq"]
                    yield event
                    if event["type"] in events.TERMINAL:
                        return
            except (RedisError, OSError):
                logger.warning("Redis is away: run %s is awaited in the database", run.pk)
                await asyncio.sleep(1)
            run = await in_thread(AnswerRun.objects.get, pk=run.pk)
        for event in run.events:
            if event["seq"] > seen:
                yield event

    async def shutdown(self) -> None:
        """End the runs of a process that stops, keeping what was written so far."""
        for engine in list(self._engines.values()):
            engine.interrupt()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=4)
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        await events.close()
        await llm.close_clients()

    async def _tick(self) -> None:
        beat = 0.0
        while self._tasks:
            await asyncio.sleep(TICK_SECONDS)
            running = list(self._tasks)
            try:
                for run in await events.stops_requested(running):
                    self._engines[run].stop()
            except (RedisError, OSError):
                pass  # stop requests from other processes wait until Redis is back
            if time.monotonic() - beat > HEARTBEAT_SECONDS:
                beat = time.monotonic()
                try:
                    await in_thread(self._beat, running)
                except DatabaseError:
                    logger.warning("The heartbeat of %d runs could not be written", len(running))

    @staticmethod
    def _beat(running: list[str]) -> None:
        AnswerRun.objects.filter(pk__in=running).update(heartbeat=timezone.now())


def _embed_ahead(*, actor: Actor, ask: Ask) -> None:
    """Begin with the question's vector, unless its assistant searches for nothing: it may be made far away."""
    if access.searches(actor=actor, slug=ask.assistant):
        embed_ahead(ask.text)


_managers: dict[int, RunManager] = {}


def manager() -> RunManager:
    """Return the manager of the running event loop."""
    return _managers.setdefault(id(asyncio.get_running_loop()), RunManager())
