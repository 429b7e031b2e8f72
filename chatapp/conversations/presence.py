"""How many sockets a person holds, and whether they may still hold them."""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.utils.crypto import constant_time_compare
from redis.exceptions import RedisError

from chatapp.accounts.models import User
from chatapp.conversations import events
from knowledge.tenants.access import Actor, actor_for

SLOT_SECONDS = 30  # renewed by every open socket; the slots of a process that died end by themselves
LOCAL = "local"


def _key(user_id: int) -> str:
    return f"footnote:sockets:{user_id}"


async def take_slot(*, user_id: int) -> str | None:
    """Count a socket for the person and return its slot, or None when all are taken.

    Without Redis nobody is turned away: the limit protects the server, not a secret.
    """
    slot, now = uuid.uuid4().hex, time.time()
    try:
        pipe = events.client().pipeline(transaction=True)
        pipe.zremrangebyscore(_key(user_id), 0, now - SLOT_SECONDS)
        pipe.zadd(_key(user_id), {slot: now})
        pipe.zcard(_key(user_id))
        pipe.expire(_key(user_id), SLOT_SECONDS)
        taken = (await pipe.execute())[2]
    except (RedisError, OSError):
        return LOCAL
    if taken > settings.SOCKETS_PER_USER:
        await free_slot(user_id=user_id, slot=slot)
        return None
    return slot


async def keep_slot(*, user_id: int, slot: str) -> None:
    """Renew the slot of a socket that is still open."""
    if slot == LOCAL:
        return
    try:
        pipe = events.client().pipeline(transaction=True)
        pipe.zadd(_key(user_id), {slot: time.time()})
        pipe.expire(_key(user_id), SLOT_SECONDS)
        await pipe.execute()
    except (RedisError, OSError):
        return  # the next renewal counts it again


async def free_slot(*, user_id: int, slot: str) -> None:
    if slot == LOCAL:
        return
    try:
        await events.client().zrem(_key(user_id), slot)
    except (RedisError, OSError):
        return  # the slot ends by itself


def still_allowed(*, actor: Actor, session: Any) -> bool:
    """Whether the session still exists, the person is active with the same password, and the membership stands."""
    if session is not None and session.session_key and not session.exists(session.session_key):
        return False
    user = User.objects.filter(pk=actor.user_id, is_active=True).first()
    if user is None:
        return False
    signed = session.get(HASH_SESSION_KEY) if session is not None else None
    if signed and not constant_time_compare(signed, user.get_session_auth_hash()):
        return False
    return actor_for(user_id=actor.user_id, tenant_id=actor.tenant_id) is not None
