"""The scripted language model: an OpenAI-compatible server over real HTTP, standard library only.

The model's *name* in the request chooses what it does, so a test needs no set-up beyond the address:

====================  ==============================================================================
scripted-ok           a short fixed answer
scripted-cite         sentences taken from the ``[S1]`` blocks of the last user message, with markers
scripted-split-markers  the same answer, every marker cut into single characters
scripted-invented     markers that no source has: [S99], [7], (S42)
scripted-malformed    half markers, other brackets, a link, code, private-use characters
scripted-noanswer     ``NO_ANSWER`` and a sentence
scripted-able         citations where there are sources, JSON where it is asked for, by a schema or in words;
                      scripted-plain refuses the schema with 400
scripted-echo         the request's messages as JSON
scripted-slow         one token every ``ms`` (50); scripted-late waits ``ms`` (300) before the first token
scripted-hang         never answers; scripted-stall stops after two tokens; scripted-endless never stops
scripted-reset        resets the connection after three tokens; scripted-reset-first before any byte
scripted-no-finish    ends the stream cleanly but without a finish reason
scripted-length       ends with finish reason ``length``; scripted-no-usage sends no usage
scripted-error-event  an error object inside the stream
scripted-NNN          that HTTP status with a JSON error (400, 401, 404, 429, 500, 503, ...)
scripted-503-html     the HTML page of a proxy, also scripted-200-html
scripted-garbage      a stream that is no JSON; scripted-garbage-utf8 one that is no UTF-8
scripted-custom...    what POST /_script said: {"model", "chunks", "finish", "usage", "delay_ms"}
scripted-embed        word-hash vectors, not normalised; -nan, -zero, -short (one missing), -ragged
====================  ==============================================================================

Options are parts of the name: ``-ms-20`` (delay), ``-after-2`` (Retry-After of an error), ``-times-2``
(fail the first two calls, then answer), ``-dim-32`` (embeddings), ``-size-500`` (tokens of scripted-ok).
GET /_calls counts and lists requests, POST /_reset forgets them. The key ``wrong-key`` is refused with 401.

As a program: ``python tests/support/scripted_model.py --port 9000``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from scripted_replies import (
    OK_ANSWER,
    Reply,
    able_answer,
    as_base64,
    embeddings,
    message_text,
    parse_name,
    scripted_reply,
    tokens,
    word_vector,
)

Json = dict[str, Any]

__all__ = ["OK_ANSWER", "ScriptedModel", "word_vector"]

# --- the server -----------------------------------------------------------------------------------


class Disconnected(Exception):
    """The client went away while an answer was being written."""


@dataclass
class State:
    calls: Counter[str] = field(default_factory=Counter)  # by path
    models: Counter[str] = field(default_factory=Counter)
    disconnects: Counter[str] = field(default_factory=Counter)  # by model
    tokens_sent: Counter[str] = field(default_factory=Counter)  # by model
    requests: deque[Json] = field(default_factory=lambda: deque(maxlen=200))
    scripts: dict[str, Json] = field(default_factory=dict)

    def report(self) -> Json:
        return {
            "total": sum(self.calls.values()),
            "paths": self.calls,
            "models": self.models,
            "disconnects": self.disconnects,
            "tokens_sent": self.tokens_sent,
            "requests": list(self.requests),
        }

    def reset(self) -> None:
        for counter in (self.calls, self.models, self.disconnects, self.tokens_sent):
            counter.clear()
        self.requests.clear()
        self.scripts.clear()


class Connection:
    """One client connection: requests one after the other."""

    def __init__(self, state: State, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.state, self.reader, self.writer = state, reader, writer

    async def serve(self) -> None:
        try:
            while (request := await self.read_request()) is not None:
                await self.answer(*request)
        except (Disconnected, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.writer.close()

    async def read_request(self) -> tuple[str, str, Json, str] | None:
        head = await self.reader.readuntil(b"\r\n\r\n") if not self.reader.at_eof() else b""
        if not head:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return method, path, json.loads(body) if body else {}, headers.get("authorization", "")

    async def answer(self, method: str, path: str, body: Json, authorization: str) -> None:
        route = path.split("?")[0].removeprefix("/v1")
        if route.startswith("/_"):
            await self.control(route, body)
            return
        model = str(body.get("model", ""))
        self.state.calls[route] += 1
        self.state.models[model] += 1
        self.state.requests.append({"path": route, "body": body})
        if authorization == "Bearer wrong-key":
            await self.send_error(401, "Incorrect API key provided.")
            return
        if route == "/models" and method == "GET":
            listed = [{"id": name, "object": "model"} for name in ("scripted-ok", "scripted-cite", "scripted-embed")]
            await self.send_json(200, {"object": "list", "data": listed})
            return
        kind, options = parse_name(model)
        failed = self.failure(kind, options, model)
        if failed is not None:
            await failed
            return
        if route == "/chat/completions":
            await self.chat(model, kind, options, body)
            return
        if route == "/embeddings" and kind.startswith("embed"):
            await self.embed(model, kind, options, body)
            return
        if route == "/rerank":
            await self.rerank(body)
            return
        await self.send_error(404, f"The model `{model}` does not exist.")

    async def control(self, route: str, body: Json) -> None:
        if route == "/_reset":
            self.state.reset()
        elif route == "/_script":
            self.state.scripts[str(body.get("model", "scripted-custom"))] = body
        await self.send_json(200, self.state.report())

    def failure(self, kind: str, options: Mapping[str, int], model: str) -> Awaitable[None] | None:
        """The coroutine that sends this name's HTTP error, or None when it answers (``-times-N`` is used up)."""
        if "times" in options and self.state.models[model] > options["times"]:
            return None
        headers = {"Retry-After": str(options["after"])} if "after" in options else {}
        if kind.endswith("503-html"):
            page = b"<html><head><title>503</title></head><body><h1>Service Unavailable</h1></body></html>"
            return self.send(503, page, "text/html", headers)
        if kind == "200-html":
            return self.send(200, b"<html><body>Please sign in to the network.</body></html>", "text/html", {})
        if match := re.fullmatch(r"(?:embed-)?([45]\d\d)", kind):
            return self.send_error(int(match.group(1)), f"Scripted {match.group(1)}.", headers)
        if kind == "reset-first":
            return self.abort()
        return None

    async def chat(self, model: str, kind: str, options: Mapping[str, int], body: Json) -> None:
        if script := self.state.scripts.get(model.rsplit("/", 1)[-1]):
            reply: Reply | None = Reply(
                script.get("chunks", []),
                finish=script.get("finish", "stop"),
                usage=script.get("usage", True),
                delay_ms=float(script.get("delay_ms", 0)),
                then=script.get("then", "finish"),
            )
        elif kind in ("able", "plain"):
            has_schema = "response_format" in body
            if has_schema and kind == "plain":
                await self.send_error(400, "response_format is not supported.")
                return
            reply = Reply(tokens(able_answer(body.get("messages", []), has_schema=has_schema)))
        else:
            known = "ok" if "times" in options else kind
            reply = scripted_reply(known, options, body.get("messages", []))
        if reply is None:
            await self.send_error(404, f"The model `{model}` does not exist.")
            return
        prompt = sum(len(message_text(m).split()) for m in body.get("messages", []))
        usage = reply.usage if isinstance(reply.usage, Mapping) else {"prompt_tokens": prompt}
        usage = {"completion_tokens": len(reply.chunks), **usage}
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        if body.get("stream"):
            wanted = bool((body.get("stream_options") or {}).get("include_usage")) and bool(reply.usage)
            await self.stream(model, reply, usage if wanted else None)
        else:
            await self.whole(model, reply, usage)

    async def whole(self, model: str, reply: Reply, usage: Json) -> None:
        await self.pause(model, reply.first_delay_ms + reply.delay_ms * len(reply.chunks))
        if reply.then == "hang":
            await self.pause(model, 3_600_000)
        if reply.then == "reset":
            await self.abort()
            return
        if reply.then.startswith("garbage"):
            await self.send(200, b'{"choices": [{"mess\xff\xfe', "application/json", {})
            return
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(reply.chunks)},
            "finish_reason": reply.finish,
        }
        head = {"id": "scripted", "object": "chat.completion", "created": int(time.time()), "model": model}
        await self.send_json(200, {**head, "choices": [choice], "usage": usage if reply.usage else None})

    async def stream(self, model: str, reply: Reply, usage: Json | None) -> None:
        head = {"id": "scripted", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        await self.pause(model, reply.first_delay_ms)
        if reply.then == "hang" and not reply.chunks:
            await self.pause(model, 3_600_000)
        start = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.writer.write(start + event(delta(head, {"role": "assistant", "content": ""})))
        async for text in self.pieces(model, reply):
            self.state.tokens_sent[model] += 1
            self.writer.write(event(delta(head, {"content": text} if isinstance(text, str) else text)))
            await self.drain(model)
        if reply.then not in ("finish", "replay"):
            await self.break_stream(model, reply.then)
            return
        for _ in range(2 if reply.then == "replay" else 1):
            if reply.finish:
                self.writer.write(event(delta(head, {}, reply.finish)))
            if usage is not None:
                self.writer.write(event({**head, "choices": [], "usage": usage}))
        self.writer.write(chunk(b"data: [DONE]\n\n") + chunk(b""))
        await self.drain(model)

    async def pieces(self, model: str, reply: Reply) -> AsyncIterator[str | Json]:
        while True:
            for text in reply.chunks:
                if reply.delay_ms:
                    await self.pause(model, reply.delay_ms)
                yield text
            if reply.then != "repeat":
                return

    async def break_stream(self, model: str, how: str) -> None:
        if how == "hang":
            await self.pause(model, 3_600_000)
        elif how == "garbage":
            self.writer.write(chunk(b"data: {not json at all\n\ndata: <html>\n\n") + chunk(b""))
        elif how == "garbage-utf8":
            self.writer.write(chunk(b'data: {"choices": [{"delta": {"content": "\xff\xfe\xc3"}}]}\n\n') + chunk(b""))
        elif how == "error":
            self.writer.write(event({"error": {"message": "Scripted failure.", "type": "server_error", "code": 500}}))
            self.writer.write(chunk(b""))
        else:
            await asyncio.sleep(0.02)  # let the client read what was sent before the reset discards it
            await self.abort()
        await self.drain(model)

    async def embed(self, model: str, kind: str, options: Mapping[str, int], body: Json) -> None:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        dimension = options.get("dim", int(body.get("dimensions") or 64))
        encode: Any = as_base64 if body.get("encoding_format") == "base64" else list
        vectors = embeddings(kind, dimension, texts)
        data = [{"object": "embedding", "index": i, "embedding": encode(v)} for i, v in enumerate(vectors)]
        used = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": used, "total_tokens": used}
        await self.send_json(200, {"object": "list", "model": model, "data": data, "usage": usage})

    async def rerank(self, body: Json) -> None:
        """Score by the share of the query's words that a document holds."""
        query = set(re.findall(r"\w+", body["query"].lower()))
        scored = [
            {"index": i, "relevance_score": len(query & set(re.findall(r"\w+", text.lower()))) / max(1, len(query))}
            for i, text in enumerate(body["documents"])
        ]
        best = sorted(scored, key=lambda row: -row["relevance_score"])[: body.get("top_n") or len(scored)]
        await self.send_json(200, {"id": "scripted", "results": best, "usage": {"total_tokens": 1}})

    # -- writing --

    async def pause(self, model: str, milliseconds: float) -> None:
        """Wait, and notice a client that goes away meanwhile."""
        end = time.monotonic() + milliseconds / 1000
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.01))
            self.check_connected(model)

    def check_connected(self, model: str) -> None:
        if self.reader.at_eof() or self.writer.transport.is_closing():
            self.state.disconnects[model] += 1
            raise Disconnected

    async def drain(self, model: str) -> None:
        await asyncio.sleep(0)
        self.check_connected(model)
        await self.writer.drain()

    async def abort(self) -> None:
        """Close with a TCP reset."""
        self.writer.transport.abort()
        raise Disconnected

    async def send(self, status: int, body: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        await self.writer.drain()

    async def send_json(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        await self.send(status, json.dumps(body).encode(), "application/json", headers or {})

    async def send_error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        error = {"message": message, "type": "scripted_error", "param": None, "code": status}
        await self.send_json(status, {"error": error}, headers)


def delta(head: Json, content: Json, finish: str | None = None) -> Json:
    return {**head, "choices": [{"index": 0, "delta": content, "finish_reason": finish}]}


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(data: Json) -> bytes:
    text = json.dumps(data, ensure_ascii=False)  # unescaped, as vLLM sends it
    if re.search("[\ud800-\udfff]", text):
        text = json.dumps(data)  # half a surrogate pair has no other form
    return chunk(b"data: " + text.encode() + b"\n\n")


async def run_server(port: int, *, until_stdin_closes: bool) -> None:
    """Serve on loopback and print the port; a test's server stops with its parent, so no orphan is left."""
    state = State()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(state, reader, writer).serve()

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=64 * 1024 * 1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    if not until_stdin_closes:
        await server.serve_forever()
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()

    def watch() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=watch, daemon=True).start()
    await stopped.wait()


# --- for tests ------------------------------------------------------------------------------------


class ScriptedModel:
    """The server as a child process: ``with ScriptedModel() as model: ... model.url ...``"""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The base address for OpenAI clients, ``/v1`` included."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def calls(self) -> Json:
        """``{total, paths, models, disconnects, tokens_sent, requests[{path, body}]}`` since the last reset."""
        return self._control("/_calls")

    def reset(self) -> None:
        self._control("/_reset", {})

    def script(self, chunks: Sequence[str | Json], *, model: str = "scripted-custom", **options: Any) -> None:
        """Say exactly these chunks, texts or whole deltas, from now on; options are ``finish``, ``usage``, ``delay_ms``,
        ``then``."""
        self._control("/_script", {"model": model, "chunks": list(chunks), **options})

    def start(self) -> Self:
        command = [sys.executable, "-S", __file__, "--port", str(self._port), "--until-stdin-closes"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip():
            raise RuntimeError("the scripted model did not start")
        self._port = int(line)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=10)  # closes its standard input: the sign to stop
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _control(self, route: str, body: Json | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url.removesuffix("/v1") + route, data=data)
        with urllib.request.urlopen(request, timeout=10) as response:
            answer: Json = json.load(response)
            return answer


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve the scripted language model on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--until-stdin-closes", action="store_true")
    chosen = parser.parse_args(arguments)
    asyncio.run(run_server(chosen.port, until_stdin_closes=chosen.until_stdin_closes))


if __name__ == "__main__":
    main()
