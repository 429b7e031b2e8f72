"""The broker as a publisher sees it: a connection that gives up soon, and how many messages wait."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, current_app
from kombu.exceptions import ChannelError, KombuError
from kombu.pools import connections, producers

logger = logging.getLogger(__name__)

SECONDS = 1
"""Whoever publishes tries twice for so long when the broker does not answer: a request may be one of them."""

AWAY = (KombuError, ConnectionError, OSError)


def _connection(app: Celery) -> Any:
    # A worker waits on its own connection for messages, where a short time limit would only break it.
    short = {**app.conf.broker_transport_options, "socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
    return app.connection_for_write(transport_options=short)


@contextmanager
def producer(app: Celery) -> Iterator[Any]:
    """Lend a producer of a pool of its own.

    :raises kombu.exceptions.KombuError: all of them are in use.
    """
    with producers[_connection(app)].acquire(block=True, timeout=SECONDS) as lent:
        yield lent


def waiting(queue: str) -> int | None:
    """Return how many messages of a queue no worker has taken yet; None while the broker is away."""
    try:
        with connections[_connection(current_app)].acquire(block=True, timeout=SECONDS) as connection:
            try:
                return int(connection.default_channel.queue_declare(queue=queue, passive=True).message_count)
            except ChannelError:  # this broker forgets a queue that is empty
                return 0
    except AWAY:
        logger.warning("Broker is away: nobody knows what waits in the queue %s", queue)
        return None
