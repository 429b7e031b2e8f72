"""The numbered events of runs: kept in memory for sockets of this process, in a Redis stream for all others.

A reader gets every event from any number on, exactly once and in order, from whichever of the two
(or, when the run is long over, from the database) still has it. Tokens never travel by the channel
layer: it drops what does not fit, silently.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings
from redis import asyncio as redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

TERMINAL = frozenset({"answer.done", "run.error"})
KEEP_SECONDS = 900
LIVE_SECONDS = 3600

_clients: dict[int, redis.Redis] = {}


class _Pool(redis.ConnectionPool):
    """Connections that stay closed: a command in flight while its client closes repeats itself on a new one,
    which nobody would close."""

    _closed = False

    async def aclose(self) -> None:
        self._closed = True
        await super().aclose()

    async def release(self, connection: AbstractConnection) -> None:
        if self._closed:
            await connection.disconnect()
        await super().release(connection)


def client() -> redis.Redis:
    """Return the Redis client of the running event loop. It repeats once, without the seconds of pause of its
    default: an answer must not wait for a Redis that is away."""
    key = id(asyncio.get_running_loop())
    if key not in _clients:
        pool = _Pool.from_url(
            settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 1)
        )
        _clients[key] = redis.Redis.from_pool(pool)
    return _clients[key]


async def close() -> None:
    """Close the client of the running event loop."""
    found = _clients.pop(id(asyncio.get_running_loop()), None)
    if found is not None:
        await found.aclose()


def stream_key(run: str) -> str:
    return f"footnote:run:{run}"


def stop_key(run: str) -> str:
    return f"footnote:stop:{run}"


class RunLog:
    """The events of one run in the process that produces them."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._lost = False  # Redis went away: sockets of this process still get everything
        self._outbox: list[dict[str, Any]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        return bool(self.events) and self.events[-1]["type"] in TERMINAL

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Number the next event without sending it yet."""
        return {"v": 1, "type": kind, "run": self.run, "seq": len(self.events) + 1, **fields}

    async def emit(self, kind: str, **fields: Any) -> None:
        """Number an event and send it."""
        await self.send(self.event(kind, **fields))

    async def send(self, event: dict[str, Any]) -> None:
        """Hand the event to the readers here. The stream gets it beside, in order; the last one before this returns."""
        async with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        self._outbox.append(event)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name=f"events of run {self.run}")
        if event["type"] in TERMINAL:
            await self.written()

    async def written(self) -> None:
        """Wait until Redis has every event so far, or is known to be away."""
        if self._writer is not None:
            await self._writer

    async def read(self, after: int) -> AsyncIterator[dict[str, Any]]:
        """Yield the events with a number above ``after`` until the run is over."""
        at = after
        while True:
            async with self._changed:
                while len(self.events) <= at and not self.over:
                    await self._changed.wait()
            while at < len(self.events):
                yield self.events[at]
                at += 1
            if self.over and at >= len(self.events):
                return

    async def _write(self) -> None:
        """Append what waits, several events in one round trip when they come faster than Redis answers."""
        while self._outbox:
            batch, self._outbox = self._outbox, []
            await self._append(batch)

    async def _append(self, batch: list[dict[str, Any]]) -> None:
        if self._lost:
            return
        try:
            key = stream_key(self.run)
            pipe = client().pipeline(transaction=False)
            for event in batch:
                pipe.xadd(key, {"e": json.dumps(event, ensure_ascii=False)}, id=f"{event['seq']}-0")
                if event["seq"] == 1 or event["type"] in TERMINAL:
                    pipe.expire(key, KEEP_SECONDS if event["type"] in TERMINAL else LIVE_SECONDS)
            await pipe.execute()
        except (RedisError, OSError):
            self._lost = True
            logger.warning("Redis is away: events of run %s reach only sockets of this process", self.run)


async def read_stream(run: str, after: int) -> AsyncIterator[dict[str, Any]]:
    """Yield a run's events from Redis until it is over.

    Ends early after a few seconds without any, and where events are missing: the database will hold them all.
    """
    last, expected, key = f"{after}-0", after + 1, stream_key(run)
    while True:
        rows: Any = await client().xread({key: last}, count=200, block=3000)
        if not rows:
            return
        for entry_id, fields in rows[0][1]:
            last = entry_id.decode()
            event = json.loads(fields[b"e"])
            if event["seq"] != expected:
                await asyncio.sleep(1)
                return
            expected += 1
            yield event
            if event["type"] in TERMINAL:
                return


async def stream_so_far(run: str) -> list[dict[str, Any]]:
    """Return the events of a run that are in Redis now."""
    rows: Any = await client().xrange(stream_key(run))
    return [json.loads(fields[b"e"]) for _, fields in rows]


async def append_to_stream(run: str, kind: str, **fields: Any) -> None:
    """Add an event to the stream of a run whose own process is gone."""
    newest: Any = await client().xrevrange(stream_key(run), count=1)
    if not newest:
        return
    last = json.loads(newest[0][1][b"e"])
    if last["type"] in TERMINAL:
        return
    event = {"v": 1, "type": kind, "run": run, "seq": last["seq"] + 1, **fields}
    await client().xadd(stream_key(run), {"e": json.dumps(event)}, id=f"{event['seq']}-0")
    await client().expire(stream_key(run), KEEP_SECONDS)


async def request_stop(run: str) -> None:
    await client().set(stop_key(run), "1", ex=600)


async def stops_requested(runs: list[str]) -> list[str]:
    """Return those of the runs that somebody asked to stop."""
    if not runs:
        return []
    values = await client().mget([stop_key(run) for run in runs])
    return [run for run, value in zip(runs, values, strict=True) if value]
