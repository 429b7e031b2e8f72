"""Whether every queue has somebody who takes from it. Workers write signs of life; the health page reads them.

A worker can be alive and deaf (kombu 6a37089d, celery #8030, #9191, #10151). Each minute a canary goes through every
queue: when none came out for long and the workers have time, nobody hears it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

ALIVE_SECONDS = 20
DEAF_SECONDS = 200
"""Three canaries in a row did not come out."""


def _key(queue: str, what: str) -> str:
    return f"footnote:queue:{queue}:{what}"


@dataclass(frozen=True, slots=True)
class Queue:
    """What the signs say of one queue; ``canary`` is seconds since the last one came out."""

    name: str
    consumed: bool
    busy: bool
    canary: float | None

    @property
    def trouble(self) -> str:
        """Say in words what is wrong, or nothing."""
        if not self.consumed:
            return f"No worker takes from the queue '{self.name}'. Start one with -Q {self.name}."
        if not self.busy and self.canary is not None and self.canary > DEAF_SECONDS:
            return (
                f"A worker listens to the queue '{self.name}', but nothing came through for {self.canary:.0f} seconds. "
                "Restart the worker, and see whether beat runs."
            )
        return ""


def say_alive(client: Any, queues: Iterable[str], *, busy: bool, starts: bool = False) -> None:
    """Write that a worker takes from these queues, and whether all its processes are at work."""
    signs = client.pipeline()
    for queue in queues:
        signs.set(_key(queue, "consumer"), time.time(), ex=ALIVE_SECONDS)
        if busy:
            # As long as a canary is waited for: those of a busy hour were dropped, and the next one takes a minute.
            signs.set(_key(queue, "busy"), time.time(), ex=DEAF_SECONDS)
        if starts:
            signs.set(_key(queue, "canary"), time.time())  # from here on it is waited for
    signs.execute()


def say_heard(client: Any, queue: str) -> None:
    """Write that a canary came out of the queue."""
    client.set(_key(queue, "canary"), time.time())


def look(client: Any) -> list[Queue]:
    """Read the signs of every queue the product needs."""
    names = list(settings.WORKER_QUEUES)
    signs = client.mget([_key(name, what) for name in names for what in ("consumer", "busy", "canary")])
    return [
        Queue(name, consumer is not None, busy is not None, None if heard is None else time.time() - float(heard))
        for name, consumer, busy, heard in zip(names, signs[::3], signs[1::3], signs[2::3], strict=True)
    ]
