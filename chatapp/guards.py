"""What stands before the application: body sizes, socket origins, start and stop of the process."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections
from django.http.request import validate_host

from chatapp.operations.processes import tie_to_parent

logger = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[..., Awaitable[None]]

FORM_OVERHEAD = 1024 * 1024  # what a multipart form may add to the file itself


class TooLarge(Exception):
    """The body went over the limit while it was read."""


class BodyLimit:
    """Refuses a request body over the upload limit before Django spools it to disk."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = settings.MAX_UPLOAD_BYTES + FORM_OVERHEAD
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await self._refuse(send)
            return
        read, begun = 0, False

        async def counted() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise TooLarge
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except TooLarge:
            if not begun:
                await self._refuse(send)

    @staticmethod
    async def _refuse(send: Send) -> None:
        megabytes = settings.MAX_UPLOAD_BYTES // 2**20
        problem = {
            "type": "about:blank",
            "title": "Too large",
            "status": 413,
            "code": "document_too_large",
            "detail": f"The file is larger than {megabytes} MB.",
        }
        headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(problem).encode()})


class SameOrigin:
    """Opens a socket only for pages of this very origin: any other site could use the visitor's cookie.

    Channels' own validator accepts every port and scheme of an allowed host
    (reference: channels/security/websocket.py), which is wider than a cookie reaches.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if self.allowed(origin, host):
            await self.app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 4403})

    @staticmethod
    def allowed(origin: str, host: str) -> bool:
        if origin in settings.CSRF_TRUSTED_ORIGINS:
            return True
        try:
            parts = urlsplit(origin)
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        name = f"[{name}]" if ":" in name else name
        return (
            parts.scheme in ("http", "https") and parts.netloc == host and validate_host(name, settings.ALLOWED_HOSTS)
        )


class Lifespan:
    """Warms up heavy parts beside the first requests, and ends runs in words when the process stops."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                tie_to_parent()
                threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    @staticmethod
    async def _stop() -> None:
        from chatapp.conversations.runs import manager

        try:
            await asyncio.wait_for(manager().shutdown(), timeout=5)
        except TimeoutError:
            logger.warning("Some runs were still busy when the process stopped")


def warm_up() -> None:
    """Load the embedding model, the store and LiteLLM before somebody waits for them."""
    from chatapp.operations import parts
    from knowledge import llm, wiring
    from knowledge.documents.searching import retrieval_parts

    try:
        wiring.embedder().embed_query("warm up")
        # The rest costs ten seconds of processor time, which a start has better use for.
        parts.wait_until_ready(seconds=20)
        wiring.store().warm_up()
        llm.warm_up()
        warm_up_reranker = getattr(retrieval_parts().reranker, "warm_up", None)  # only some load a model
        if warm_up_reranker is not None:
            warm_up_reranker()
        # What is loaded now stays for ever; without this the collector walks through all of it again and again.
        gc.collect()
        gc.freeze()
    except Exception:  # boundary of the thread: /readyz and the first question say what is wrong
        logger.exception("Warm-up failed")
    finally:
        connections.close_all()  # the thread ends here
