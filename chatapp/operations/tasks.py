"""The worker's sign of life. Loaded by Celery only; the health page reads what is written here."""

from __future__ import annotations

import logging
import time

from celery.signals import heartbeat_sent, task_postrun, worker_process_init, worker_ready

from chatapp.operations.parts import WORKER_ALIVE, WORKER_LAST_TASK, quick_redis
from chatapp.operations.processes import tie_to_parent

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 20


def _write(key: str, seconds: int | None) -> None:
    try:
        with quick_redis() as client:
            client.set(key, time.time(), ex=seconds)
    except Exception:  # boundary: a Redis that is away must not end the worker's heartbeat
        logger.warning("The worker could not write its sign of life")


@worker_process_init.connect
def _pool_process(**_: object) -> None:
    """End with the worker, also when that is killed."""
    tie_to_parent()


@worker_ready.connect
@heartbeat_sent.connect
def _alive(**_: object) -> None:
    """Say that the consumer's loop turns; Celery calls this every two seconds."""
    _write(WORKER_ALIVE, ALIVE_SECONDS)


@task_postrun.connect
def _finished_a_task(**_: object) -> None:
    """Say that tasks come through: a worker can be alive and deaf (kombu 6a37089d, celery #8030)."""
    _write(WORKER_LAST_TASK, None)
