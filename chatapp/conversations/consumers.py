"""The sockets. They translate; runs, rights and events live elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError

from chatapp.accounts.access import TENANT_SESSION_KEY, actor_of_user
from chatapp.conversations import access, presence
from chatapp.conversations.database import in_thread
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.notices import group_of
from chatapp.conversations.runs import manager
from chatapp.conversations.services import Ask
from chatapp.conversations.shown import shown_events
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

logger = logging.getLogger(__name__)

NOT_SIGNED_IN, NOT_YOURS, TOO_MANY_ERRORS, TOO_MANY_SOCKETS = 4401, 4404, 4400, 4429
MAX_BAD_FRAMES = 20
RECHECK_SECONDS = 4.0


UNEXPECTED = "Something went wrong here. The error was recorded."


class BadFrame(Exception):
    """What a client sent is not a message of the protocol; the text says why."""


def decode(text: str | None, data: bytes | None) -> dict[str, Any]:
    """Return the message of a frame.

    :raises BadFrame: it is binary, too large, not JSON, or not an object.
    """
    if text is None:
        raise BadFrame("Only text frames are accepted.")
    if len(text.encode("utf-8", "replace")) > settings.MAX_SOCKET_MESSAGE_BYTES:
        raise BadFrame(f"The message is larger than {settings.MAX_SOCKET_MESSAGE_BYTES // 1024} KiB.")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("The message is not valid JSON.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise BadFrame("The message is not an object with a type.")
    if message.get("v", 1) != 1:
        raise BadFrame("This version of the protocol is not spoken here.")
    return message


class SignedInConsumer(AsyncWebsocketConsumer):
    """Accepts members of a tenant, limits what they send, and closes when the membership ends."""

    actor: Actor

    async def connect(self) -> None:
        actor = await self._actor()
        if actor is None:
            await self.close(code=NOT_SIGNED_IN)
            return
        self.actor = actor
        self.jobs: set[asyncio.Task[None]] = set()
        self._bad = 0
        self._allowance, self._refilled = float(settings.SOCKET_MESSAGES_PER_SECOND), time.monotonic()
        self._slot = await presence.take_slot(user_id=actor.user_id)
        await self.accept()
        if self._slot is None:
            await self.close(code=TOO_MANY_SOCKETS)
            return
        self.spawn(self._watch())
        await self.opened()

    async def opened(self) -> None:
        """Called once the socket is accepted."""

    async def disconnect(self, code: int) -> None:
        for job in list(getattr(self, "jobs", ())):
            job.cancel()
        if getattr(self, "_slot", None):
            await presence.free_slot(user_id=self.actor.user_id, slot=str(self._slot))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            self._spend()
            await self.on_message(decode(text_data, bytes_data))
        except BadFrame as error:
            self._bad += 1
            await self.send_json({"v": 1, "type": "error", "code": "bad_message", "message": str(error)})
            if self._bad >= MAX_BAD_FRAMES:
                await self.close(code=TOO_MANY_ERRORS)
        except KnowledgeError as error:
            await self.send_json({"v": 1, "type": "error", "code": error.code, "message": error.message})
        except Exception:  # boundary of a message: the socket serves other answers too
            logger.exception("A message could not be handled")
            await self.send_json({"v": 1, "type": "error", "code": "unexpected", "message": UNEXPECTED})

    async def on_message(self, message: dict[str, Any]) -> None:
        """Handle one decoded message."""
        if message["type"] == "ping":
            await self.send_json({"v": 1, "type": "pong"})
        else:
            raise BadFrame("This type of message is not known.")

    async def send_json(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(message, ensure_ascii=False))

    def spawn(self, work: Any) -> None:
        """Run something beside the socket; it is cancelled when the socket closes."""
        job: asyncio.Task[None] = asyncio.create_task(work)
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)

    def _spend(self) -> None:
        """:raises BadFrame: more messages a second than allowed."""
        now, rate = time.monotonic(), float(settings.SOCKET_MESSAGES_PER_SECOND)
        self._allowance = min(2 * rate, self._allowance + (now - self._refilled) * rate)
        self._refilled = now
        if self._allowance < 1:
            raise BadFrame("Too many messages in a short time. Wait a moment.")
        self._allowance -= 1

    async def _actor(self) -> Actor | None:
        session = self.scope.get("session")
        user = self.scope.get("user")
        try:
            return await in_thread(
                lambda: actor_of_user(user, tenant=session.get(TENANT_SESSION_KEY) if session else None)
            )
        except KnowledgeError:
            return None

    async def _watch(self) -> None:
        """Keep the socket's slot, and close soon after the session or the membership ended."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await presence.keep_slot(user_id=self.actor.user_id, slot=str(self._slot))
            try:
                allowed = await in_thread(presence.still_allowed, actor=self.actor, session=self.scope.get("session"))
            except DatabaseError:
                logger.warning("The rights behind a socket could not be checked; they are checked again soon")
                continue
            if not allowed:
                await self.close(code=NOT_SIGNED_IN)
                return


class ChatConsumer(SignedInConsumer):
    """``/ws/chat/``: ask, stop, resume, ping; answers with the numbered events of runs."""

    async def opened(self) -> None:
        self.following: dict[str, asyncio.Task[None]] = {}

    async def on_message(self, message: dict[str, Any]) -> None:
        handlers = {"ask": self._ask, "stop": self._stop, "resume": self._resume}
        handler = handlers.get(message["type"])
        if handler is None:
            await super().on_message(message)
        else:
            await handler(message)

    async def _ask(self, message: dict[str, Any]) -> None:
        ask = Ask(
            text=_text(message, "text", required=True),
            conversation=_name(message, "conversation") or None,
            assistant=_name(message, "assistant") or "default",
            knowledge_bases=_texts(message, "knowledge_bases"),
            client_id=_name(message, "client_id")[:64] or None,
        )
        try:
            started = await manager().start(actor=self.actor, ask=ask)
        except KnowledgeError as error:
            await self.send_json(
                {"v": 1, "type": "error", "code": error.code, "message": error.message, "client_id": ask.client_id}
            )
            return
        if started.resumed:
            await self._replay(started.run, after=0)
        else:
            self._follow(started.run, after=0)

    async def _stop(self, message: dict[str, Any]) -> None:
        run = await in_thread(access.access_run, actor=self.actor, pk=_text(message, "run", required=True))
        await manager().stop(run=str(run.pk))

    async def _resume(self, message: dict[str, Any]) -> None:
        run = await in_thread(access.access_run, actor=self.actor, pk=_text(message, "run", required=True))
        seq = message.get("seq", 0)
        if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**31:
            raise BadFrame("The number to resume after is not a number.")
        await self._replay(run, after=seq)

    async def _replay(self, run: AnswerRun, *, after: int) -> None:
        """Send the events of an earlier run, without what its reader may no longer see."""
        events = await in_thread(shown_events, run, actor=self.actor)
        if events is None:
            self._follow(run, after=after)
            return
        for event in events:
            if event["seq"] > after:
                await self.send_json(event)

    def _follow(self, run: AnswerRun, *, after: int) -> None:
        """Send a run's events from a number on; a second follower of the same run replaces the first."""
        earlier = self.following.pop(str(run.pk), None)
        if earlier is not None:
            earlier.cancel()
        job = asyncio.create_task(self._forward(run, after))
        self.following[str(run.pk)] = job
        self.jobs.add(job)
        job.add_done_callback(lambda done: self._followed(str(run.pk), done))

    def _followed(self, run: str, job: asyncio.Task[None]) -> None:
        self.jobs.discard(job)
        if self.following.get(run) is job:
            del self.following[run]

    async def _forward(self, run: AnswerRun, after: int) -> None:
        try:
            async for event in manager().follow(run=run, after=after):
                await self.send_json(event)
        except (AnswerRun.DoesNotExist, OSError):
            return  # the conversation was deleted, or the socket went away while it was written to
        except Exception:  # boundary of a task that nobody awaits
            logger.exception("Run %s could not be followed", run.pk)
            await self.send_json({"v": 1, "type": "error", "code": "unexpected", "message": UNEXPECTED})


class NoticesConsumer(SignedInConsumer):
    """``/ws/notices/``: document progress of the member's tenant. Losing one is harmless: pages also ask."""

    async def opened(self) -> None:
        self._group = group_of(str(self.actor.tenant_id))
        await self.channel_layer.group_add(self._group, self.channel_name)

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "_group"):
            await self.channel_layer.group_discard(self._group, self.channel_name)
        await super().disconnect(code)

    async def notice(self, event: dict[str, Any]) -> None:
        """A message of the channel layer; clients cannot send this type."""
        await self.send_json({"v": 1, **event["payload"]})


def _text(message: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = message.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise BadFrame(f"The field {name} is missing or is not text.")
    return value


def _name(message: dict[str, Any], name: str) -> str:
    """Return an id or slug; half a surrogate pair or a control character cannot be stored or sent back."""
    value = _text(message, name)
    if value and not value.isprintable():
        raise BadFrame(f"The field {name} holds characters that are not accepted.")
    return value


def _texts(message: dict[str, Any], name: str) -> list[str] | None:
    value = message.get(name)
    if value is None:
        return None
    if (
        not isinstance(value, list)
        or len(value) > 100
        or not all(isinstance(item, str) and item.isprintable() for item in value)
    ):
        raise BadFrame(f"The field {name} is not a list of texts.")
    return value or None
