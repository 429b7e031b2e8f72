"""Requests per minute, counted in Redis."""

from __future__ import annotations

import logging
import os
import time

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from knowledge.errors import KnowledgeError

logger = logging.getLogger(__name__)

_clients: dict[int, redis.Redis] = {}


class TooManyRequests(KnowledgeError):
    code = "too_many_requests"
    status = 429
    permanent = False
    default_message = "Too many requests. Wait a moment."

    def __init__(self, *, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


def _client() -> redis.Redis:
    """Return this process's client.

    Never one that another thread may replace: a client that is forgotten closes its pool, also under a request.
    """
    known = _clients.get(os.getpid())
    return known or _clients.setdefault(
        os.getpid(),
        redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1)
        ),
    )


def spend(name: str, *, limit: int) -> None:
    """Count one request in the current minute. Without Redis nobody is turned away.

    :raises TooManyRequests: the limit is reached; says how many seconds are left of the minute.
    """
    now = time.time()
    key = f"footnote:rate:{name}:{int(now // 60)}"
    try:
        pipe = _client().pipeline(transaction=False)
        pipe.incr(key)
        pipe.expire(key, 120)
        used = int(pipe.execute()[0])
    except (RedisError, OSError):
        logger.warning("Redis is away: requests are not counted")
        return
    if used > limit:
        raise TooManyRequests(retry_after=max(1, 60 - int(now % 60)))
