"""How much later the first token arrives through the product than from the model reached directly."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from chatapp.operations.bench.client import Unexpected, socket_url

REPLY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """Summarise measured seconds."""
        ordered = sorted(1000 * s for s in seconds)
        return cls(
            round(statistics.median(ordered), 1), round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstToken:
    """``direct`` and ``product`` at so many questions at once, and what lies between their medians (ms)."""

    at_once: int
    questions: int
    direct: Times
    product: Times
    added_p50: float
    added_p95: float


Question = Callable[[], str]


async def measure(
    *, url: str, headers: Mapping[str, str], base: str, question: Question, model_url: str, model: str, prompt: Any,
    at_once: int, rounds: int,
) -> FirstToken:  # fmt: skip
    """Ask ``rounds`` times ``at_once`` questions simultaneously, the product and the model in turn.

    Sockets are open before the clock starts. ``prompt`` is what the product sends the model.
    """
    product: list[float] = []
    direct: list[float] = []
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connect(socket_url(url), additional_headers=dict(headers), proxy=None))
            for _ in range(at_once)
        ]
        for _ in range(rounds):
            direct += await _together([_ask_model(model_url, model, prompt) for _ in range(at_once)])
            product += await _together([_ask_product(socket, base, question()) for socket in sockets])
    there, here = Times.of(direct), Times.of(product)
    return FirstToken(
        at_once=at_once, questions=len(product), direct=there, product=here,
        added_p50=round(here.p50 - there.p50, 1), added_p95=round(here.p95 - there.p95, 1),
    )  # fmt: skip


async def _together(asked: Sequence[Awaitable[float]]) -> list[float]:
    times = list(await asyncio.gather(*asked))
    await asyncio.sleep(0.25)  # stays below the messages a second a socket may send
    return times


async def _ask_product(socket: ClientConnection, base: str, text: str) -> float:
    """Return the seconds until the first words; read on until the answer is over.

    :raises Unexpected: the question was refused or failed.
    """
    ask = {"v": 1, "type": "ask", "text": text, "knowledge_bases": [base], "client_id": uuid.uuid4().hex}
    began, first = time.perf_counter(), 0.0
    await socket.send(json.dumps(ask))
    async with asyncio.timeout(REPLY_SECONDS):
        while True:
            event = json.loads(await socket.recv())
            if event["type"] == "answer.delta" and not first:
                first = time.perf_counter() - began
            elif event["type"] == "answer.done":
                return first or time.perf_counter() - began
            elif event["type"] in ("error", "run.error"):
                raise Unexpected(f"a question failed: {event['message']}")


async def _ask_model(url: str, model: str, prompt: Any) -> float:
    """Return the seconds until the first content of the model's own stream, on a connection opened before."""
    parts = urllib.parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = json.dumps({"model": model, "messages": prompt, "stream": True}).encode()
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    began, first = time.perf_counter(), 0.0
    writer.write(head.encode() + body)
    try:
        async with asyncio.timeout(REPLY_SECONDS):
            while (line := await reader.readline()) and line != b"data: [DONE]\n":
                if not first and line.startswith(b"data: {") and _content(line):
                    first = time.perf_counter() - began
    finally:
        writer.close()
        await writer.wait_closed()
    return first


def _content(line: bytes) -> str:
    choices = json.loads(line.removeprefix(b"data: "))["choices"]
    return str(choices[0]["delta"].get("content") or "") if choices else ""
