"""Has Redis write its log on the disk anew: what was deleted or ran out lies in it until then."""

from __future__ import annotations

import logging
import time

import redis
from django.conf import settings
from redis.exceptions import RedisError, ResponseError

__all__ = ["NAME", "rewritten"]

logger = logging.getLogger(__name__)

NAME = "redis"
"""What a purge of it is asked for by (``knowledge.documents.deletions.places``)."""

SECONDS = 30
STEP = 0.05


def rewritten() -> bool:
    """Rewrite the append-only log and wait for it; False when it must be tried again.

    A Redis that keeps none has nothing to do, and one that refuses is left to whoever runs it.
    """
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            if not client.info("persistence").get("aof_enabled"):
                return True
            # One that is under way may have begun before the words were deleted.
            if not _quiet(client):
                return False
            client.bgrewriteaof()
            return _quiet(client) and client.info("persistence").get("aof_last_bgrewrite_status") == "ok"
    except ResponseError as error:
        if "in progress" in str(error):
            return False
        logger.warning("Redis refuses to rewrite its log, which may hold erased words until it does so by itself")
        return True
    except (RedisError, OSError):
        logger.warning("Redis is away: its log is rewritten when it is back")
        return False


def _quiet(client: redis.Redis) -> bool:
    """Wait until no rewrite is under way or due; False when that takes too long."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        facts = client.info("persistence")
        if not facts.get("aof_rewrite_in_progress") and not facts.get("aof_rewrite_scheduled"):
            return True
        time.sleep(STEP)
    return False
