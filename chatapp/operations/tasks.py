"""The worker's signs of life. Loaded by Celery only; the health page reads what is written here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from celery import current_app, shared_task
from celery.signals import heartbeat_sent, task_postrun, worker_process_init, worker_ready
from celery.worker import state
from django.conf import settings

from chatapp.operations import queues
from chatapp.operations.parts import WORKER_ALIVE, WORKER_LAST_TASK, quick_redis
from chatapp.operations.processes import tie_to_parent
from chatapp.operations.product import TRAINING

logger = logging.getLogger(__name__)


def _write(say: Callable[[Any], object]) -> None:
    try:
        with quick_redis() as client:
            say(client)
    except Exception:  # boundary: a Redis that is away must not end the worker's heartbeat
        logger.warning("The worker could not write its sign of life")


@worker_process_init.connect
def _pool_process(**_: object) -> None:
    """End with the worker, also when that is killed."""
    tie_to_parent()


_processes = 0


@worker_ready.connect
def _starts(sender: Any = None, **_: object) -> None:
    """Note how many tasks this worker does at once: the one that trains does fewer than the others."""
    global _processes
    _processes = int(getattr(getattr(sender, "pool", None), "limit", None) or 0)
    _say_alive(starts=True)


@heartbeat_sent.connect
def _alive(**_: object) -> None:
    """Say that the consumer's loop turns, and for which queues; Celery calls this every two seconds."""
    _say_alive(starts=False)


def _say_alive(*, starts: bool) -> None:
    taken = list(current_app.amqp.queues.consume_from)
    busy = len(state.active_requests) >= (_processes or settings.WORKER_CONCURRENCY)

    def say(client: Any) -> None:
        if taken != [TRAINING]:  # the one that only trains is not the worker that documents wait for
            client.set(WORKER_ALIVE, time.time(), ex=queues.ALIVE_SECONDS)
        queues.say_alive(client, taken, busy=busy, starts=starts)

    _write(say)


@task_postrun.connect
def _finished_a_task(**_: object) -> None:
    """Say that tasks come through."""
    _write(lambda client: client.set(WORKER_LAST_TASK, time.time()))


@shared_task(ignore_result=True)
def canary(*, queue: str, **_: object) -> None:
    """Say that the queue was heard."""
    _write(lambda client: queues.say_heard(client, queue))
