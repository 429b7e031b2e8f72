"""A small website on loopback whose every answer a test decides, and which remembers what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request: path with query, and headers with names in lower case."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass
class Answer:
    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Page = Answer | str | bytes | Callable[[Asked], Answer] | Callable[[Any], None]


@dataclass
class Site:
    """``pages`` by path, with its query or without; others are 404. ``raw`` ones write to the socket themselves."""

    url: str
    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    raw: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    fallback: Callable[[Asked], Answer] | None = None
    asked: list[Asked] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def forget(self) -> None:
        self.asked.clear()

    def answer(self, asked: Asked) -> Answer:
        page = self.pages.get(asked.path, self.pages.get(asked.path.partition("?")[0], self.fallback))
        if page is None:
            return Answer("not here", 404)
        if callable(page):
            page = page(asked)
        if isinstance(page, str | bytes):
            page = Answer(page, headers={"Content-Type": "text/html; charset=utf-8"})
        assert isinstance(page, Answer)
        return page


@contextlib.contextmanager
def local_site(*, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Site]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                self.path, {k.lower(): v for k, v in self.headers.items()}, self.command, self.rfile.read(length)
            )
            site.asked.append(asked)
            if writer := site.raw.get(self.path):
                writer(self)
                self.close_connection = True
                return
            answer = site.answer(asked)
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.status != 304:
                self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the client left in the middle, as it should
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def finish_request(self, request: Any, client_address: Any) -> None:
            if context is None:
                return super().finish_request(request, client_address)
            with contextlib.closing(context.wrap_socket(request, server_side=True)) as encrypted:
                return super().finish_request(encrypted, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server((host, 0), Handler)
    port = int(server.server_address[1])
    site = Site(f"{'https' if context else 'http'}://{host}:{port}", port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
