"""A server that speaks Anthropic's messages and Cohere's chat (version 2) over real HTTP, citations included.

A test says which events it streams, or hands over a function that makes them of the request. It was written from the
providers' published formats; no hosted provider was reached with it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]

__all__ = ["CitingModel", "anthropic", "anthropic_block", "char_location", "cohere", "cohere_citation"]


class CitingModel:
    """The server, with what it was asked. ``cut`` closes the connection before the last chunk of the response;
    ``left`` is set when a client went away while it wrote."""

    def __init__(self) -> None:
        self.events: Sequence[Json] | Callable[[Json], Iterable[Json]] = ()
        self.refuse: Callable[[Json], int | None] = lambda _: None
        self.cut = False
        self.left = threading.Event()
        self.requests: list[Json] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(model: CitingModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.requests.append(body)
            status = model.refuse(body)
            if status is not None:
                self._reply(status, {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}})
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for event in model.events(body) if callable(model.events) else model.events:
                    self._chunk(f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode())
            except ConnectionError:
                model.left.set()
                self.close_connection = True
                return
            if model.cut:
                self.close_connection = True
            else:
                self._chunk(b"")

        def _chunk(self, data: bytes) -> None:
            half = len(data) // 2  # an event seldom arrives whole
            for part in (data[:half], data[half:]) if half else (data,):
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.flush()

        def _reply(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def anthropic(*blocks: Iterable[Json], finish: str | None = "end_turn") -> list[Json]:
    """The events of a message; without ``finish`` it ends where its blocks do."""
    usage = {"input_tokens": 40, "cache_read_input_tokens": 2, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    events: list[Json] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    for index, block in enumerate(blocks):
        events += [{**event, "index": index} for event in block]
    if finish is not None:
        delta = {"stop_reason": finish, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}})
        events.append({"type": "message_stop"})
    return events


def anthropic_block(
    *texts: str, citations: Iterable[Mapping[str, Any]] = (), first: bool = False, thinking: str = ""
) -> list[Json]:
    """A block of text with its citations after its words, or ``first`` before them; or one of hidden thinking."""
    if thinking:
        return [
            {"type": "content_block_start", "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
            {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": thinking}},
            {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "c2ln"}},
            {"type": "content_block_stop"},
        ]
    words = [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}} for text in texts]
    cited = [
        {"type": "content_block_delta", "delta": {"type": "citations_delta", "citation": dict(each)}}
        for each in citations
    ]
    start = {"type": "content_block_start", "content_block": {"type": "text", "text": ""}}
    return [start, *(cited + words if first else words + cited), {"type": "content_block_stop"}]


def char_location(index: int, text: str, start: int = 0) -> Json:
    """A citation of characters of the document with this index."""
    return {"type": "char_location", "cited_text": text, "document_index": index, "document_title": "title",
            "start_char_index": start, "end_char_index": start + len(text), "file_id": None}  # fmt: skip


def cohere(*parts: str | Json, finish: str | None = "COMPLETE") -> list[Json]:
    """The events of a chat: strings are pieces of the answer, others are sent as they are."""
    events: list[Json] = [{"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}}]
    text = {"type": "text", "text": ""}
    events.append({"type": "content-start", "index": 0, "delta": {"message": {"content": text}}})
    for part in parts:
        if isinstance(part, str):
            part = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": part}}}}
        events.append(part)
    if finish is not None:
        tokens = {"tokens": {"input_tokens": 30.0, "output_tokens": 7.0}}
        events.append({"type": "content-end", "index": 0})
        events.append({"type": "message-end", "delta": {"finish_reason": finish, "usage": tokens}})
    return events


def cohere_citation(start: int, text: str, *ids: str, kind: str = "TEXT_CONTENT") -> Json:
    """A citation of the answer's words from ``start`` on."""
    sources = [{"type": "document", "id": each, "document": {"id": each}} for each in ids]
    cited = {"start": start, "end": start + len(text), "text": text, "sources": sources, "type": kind}
    return {"type": "citation-start", "index": 0, "delta": {"message": {"citations": cited}}}
