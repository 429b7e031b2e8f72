"""A language model over real HTTP that says what it is told to: OpenAI's streaming protocol, standard library only."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["ToldModel", "told_model"]

LONGEST_PIECE = 12
"""Characters of a piece of the stream: most marks are cut in two somewhere."""


class ToldModel:
    """Answers each request with the words that were set for the text its last message ends with."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0
        self._words: dict[str, str] = {}

    def tell(self, question: str, words: str) -> None:
        """Set what is said to a message that ends with the question."""
        self._words[question] = words

    def words_for(self, message: str) -> str:
        """:raises KeyError: nothing was set for it."""
        self.requests += 1
        return self._words[message.rpartition("Question: ")[2].strip()]


@contextmanager
def told_model() -> Iterator[ToldModel]:
    """Serve a model on a free port of this machine as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.told = ToldModel(f"http://127.0.0.1:{server.server_address[1]}/v1")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.told  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        told: ToldModel = self.server.told  # type: ignore[attr-defined]
        try:
            words = told.words_for(body["messages"][-1]["content"])
        except KeyError:
            self.send_error(404, "no words were set for this question")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in _pieces(words):
            self._send({"delta": {"content": piece}, "index": 0, "finish_reason": None})
        self._send({"delta": {}, "index": 0, "finish_reason": "stop"})
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, choice: dict[str, Any]) -> None:
        chunk = {"id": "told", "object": "chat.completion.chunk", "created": 0, "model": "told", "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Nothing: thousands of answers are asked for."""


def _pieces(words: str) -> Iterator[str]:
    chance = random.Random(words)  # noqa: S311 - the same pieces each time
    at = 0
    while at < len(words):
        size = chance.randint(1, LONGEST_PIECE)
        yield words[at : at + size]
        at += size
