"""Threads for database work: who waited longest comes first, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from chatapp.conversations.database import EarliestFirst, in_thread


def busy(pool: EarliestFirst) -> tuple[threading.Event, threading.Event]:
    """Occupy the pool's only thread; the second event sets it free."""
    begun, free = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        free.wait(10)

    pool.submit(wait, due=0.0)
    assert begun.wait(10)
    return begun, free


def test_the_earliest_question_is_served_first() -> None:
    pool, order = EarliestFirst(1), []

    def note(number: int) -> Callable[[], None]:
        return lambda: order.append(number)

    _, free = busy(pool)
    waiting: list[Future[None]] = [pool.submit(note(n), due=due) for n, due in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 1.0))]
    free.set()
    for future in waiting:
        future.result(10)
    assert order == [2, 4, 3, 1], "by due time, and in the order they came where that is equal"


def test_an_error_reaches_who_asked_and_the_thread_goes_on() -> None:
    pool = EarliestFirst(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0, due=0.0).result(10)
    assert pool.submit(lambda: 7, due=0.0).result(10) == 7


def test_work_that_was_given_up_before_it_began_is_not_done() -> None:
    pool, done = EarliestFirst(1), []
    _, free = busy(pool)
    future = pool.submit(lambda: done.append(1), due=1.0)
    assert future.cancel()
    free.set()
    pool.submit(lambda: None, due=2.0).result(10)
    assert done == []


async def test_async_code_gets_the_result() -> None:
    assert await in_thread(max, 3, 5) == 5
