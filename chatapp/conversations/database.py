"""Database work from async code, in a few threads of its own, the earliest question first.

``database_sync_to_async`` runs everything of a process in one thread, so that one slow write would
hold up every answer. These threads keep their connections open between calls, and take the work of
the question that has waited longest: thirty questions at once would otherwise all wait for the last.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
PATIENT_SECONDS = 1.0
"""What nobody waits for (an answer is being stored) lets questions pass that came up to a second later."""


class EarliestFirst:
    """Daemon threads that take the job with the earliest due time, begun when first needed."""

    def __init__(self, threads: int) -> None:
        self._jobs: queue.PriorityQueue[tuple[float, int, Callable[[], Any], Future[Any]]] = queue.PriorityQueue()
        self._order = itertools.count()  # equal due times in the order they came
        self._missing = threads
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], T], *, due: float) -> Future[T]:
        """Run ``call`` in a thread; ``due`` is a time of ``time.perf_counter``."""
        future: Future[T] = Future()
        self._jobs.put((due, next(self._order), call, future))
        if self._missing:
            self._begin()
        return future

    def _begin(self) -> None:
        with self._lock:
            if self._missing:
                self._missing -= 1
                threading.Thread(target=self._work, name=f"answers-{self._missing}", daemon=True).start()

    def _work(self) -> None:
        while True:
            _due, _order, call, future = self._jobs.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # handed to whoever waits for the future
                future.set_exception(error)
            del call, future  # a waiting thread must not keep a finished answer alive


_threads = EarliestFirst(THREADS)


def _guarded(call: Callable[[], T]) -> T:
    # PostgreSQL may have ended the session since its last use.
    connection.health_check_done = False  # type: ignore[attr-defined]
    try:
        return call()
    except (OperationalError, InterfaceError):
        connection.close()  # a connection that broke must not greet the next caller
        raise


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function with database access in a thread."""
    return await in_thread_by(time.perf_counter(), partial(function, *args, **kwargs))


async def in_thread_by(due: float, call: Callable[[], T]) -> T:
    """Run it before everything that is due later than this time of ``time.perf_counter``."""
    return await asyncio.wrap_future(_threads.submit(partial(_guarded, call), due=due))
