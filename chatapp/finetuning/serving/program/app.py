"""What the server answers: OpenAI's chat API, vLLM's for adapters, health and load. Plain ASGI."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from chatapp.finetuning.serving.program.engine import Engine, Prompt
from chatapp.finetuning.serving.program.turns import Turns, memory
from chatapp.finetuning.serving.program.wire import Asked, Refused, Said, Stream, read_request, whole

__all__ = ["App"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST_REQUEST = 8 * 1024 * 1024
_END = object()


class App:
    def __init__(self, engine: Engine, turns: Turns, *, token: str) -> None:
        self._engine, self._turns, self._token = engine, turns, token
        self._routes: dict[tuple[str, str], Callable[[bytes, Receive, Send], Awaitable[None]]] = {
            ("GET", "/v1/models"): self._models,
            ("GET", "/load"): self._load,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/load_lora_adapter"): self._load_adapter,
            ("POST", "/v1/load_model"): self._load_model,
            ("POST", "/v1/unload_lora_adapter"): self._unload,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except Refused as refused:
            await _json(send, refused.status, refused.body())

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (scope["method"], scope["path"]) == ("GET", "/health"):
            await _json(send, 200, {"status": "ok"})
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise Refused(401, "not_authenticated", "A bearer token is needed.")
        route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            raise Refused(404, "not_found", "There is no such address here.")
        await route(await _body(receive), receive, send)

    async def _models(self, body: bytes, receive: Receive, send: Send) -> None:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "footnote"} for name in self._engine.names()]
        await _json(send, 200, {"object": "list", "data": data})

    async def _load(self, body: bytes, receive: Receive, send: Send) -> None:
        turns = self._turns
        load = {
            "running": turns.running, "waiting": turns.waiting, "answered": turns.answered,
            "tokens_per_second": turns.speed(), "memory": memory(), "device": self._engine.device,
            "models": self._engine.names(),
        }  # fmt: skip
        await _json(send, 200, load)

    async def _load_adapter(self, body: bytes, receive: Receive, send: Send) -> None:
        """vLLM's call, with the digest that the weights must have besides."""
        await self._change(body, send, self._engine.load_adapter, "lora_name", "lora_path")

    async def _load_model(self, body: bytes, receive: Receive, send: Send) -> None:
        await self._change(body, send, self._engine.load_model, "name", "path")

    async def _change(self, body: bytes, send: Send, load: Callable[..., None], name: str, path: str) -> None:
        given = _fields(body)
        wanted = {"name": given.get(name, ""), "path": given.get(path, ""), "digest": given.get("digest", "")}
        async with self._turns.turn():
            await self._turns.do(lambda: load(**wanted))
        await _json(send, 200, {"loaded": wanted["name"]})

    async def _unload(self, body: bytes, receive: Receive, send: Send) -> None:
        name = _fields(body).get("lora_name", "")
        async with self._turns.turn():
            await self._turns.do(lambda: self._engine.unload(name))
        await _json(send, 200, {"unloaded": name})

    async def _chat(self, body: bytes, receive: Receive, send: Send) -> None:
        """Answer, and stop within a token when the reader goes away, also while it waits for its turn."""
        asked = read_request(body)
        stop = threading.Event()
        answering = asyncio.ensure_future(self._take_turn(asked, stop, send))
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if answering.done():
            answering.result()
            return
        stop.set()
        answering.cancel()
        with suppress(asyncio.CancelledError, Refused):
            await answering

    async def _take_turn(self, asked: Asked, stop: threading.Event, send: Send) -> None:
        async with self._turns.turn():
            prompt = await self._turns.do(lambda: self._engine.prepare(asked))
            started = time.monotonic()
            said = await (self._streamed if asked.stream else self._at_once)(prompt, asked, stop, send)
            self._turns.count(said, seconds=time.monotonic() - started)

    async def _at_once(self, prompt: Prompt, asked: Asked, stop: threading.Event, send: Send) -> Said:
        said = await self._turns.do(
            lambda: self._engine.generate(prompt, asked, give=lambda _: None, stop=stop)
        )  # fmt: skip
        await _json(send, 200, whole(asked.model, said))
        return said

    async def _streamed(self, prompt: Prompt, asked: Asked, stop: threading.Event, send: Send) -> Said:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Any] = asyncio.Queue()

        def give(piece: Any) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def work() -> Said:
            try:
                return self._engine.generate(prompt, asked, give=give, stop=stop)
            finally:
                give(_END)

        generating = asyncio.ensure_future(self._turns.do(work))
        try:
            return await self._send_pieces(pieces, generating, Stream(asked.model), send)
        finally:
            stop.set()  # no one reads on; a generation that has ended does not mind
            await asyncio.wait([generating])

    async def _send_pieces(
        self, pieces: asyncio.Queue[Any], generating: asyncio.Future[Said], stream: Stream, send: Send
    ) -> Said:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        first = True
        while (piece := await pieces.get()) is not _END:
            await send({"type": "http.response.body", "body": stream.text(piece, first=first), "more_body": True})
            first = False
        try:
            said = await generating
        except Exception as error:  # boundary: out of memory or a fault of the model; the reader is told in its stream
            refused = Refused(500, "generation_failed", f"The model failed ({type(error).__name__}).")
            await send({"type": "http.response.body", "body": stream.error(refused)})
            raise
        await send({"type": "http.response.body", "body": stream.end(said)})
        return said


async def _body(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "disconnected", "The request broke off.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_REQUEST:
            raise Refused(413, "request_too_large", "The request is larger than this server accepts.")
        more = message.get("more_body", False)
    return b"".join(parts)


def _fields(body: bytes) -> dict[str, str]:
    try:
        data = json.loads(body)
    except ValueError as error:
        raise Refused(400, "invalid_json", "The request is not JSON.") from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise Refused(400, "invalid_request", "The request must be an object of texts.")
    return data


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _json(send: Send, status: int, data: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(data, ensure_ascii=False).encode()})
