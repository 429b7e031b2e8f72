from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from chatapp import guards
from chatapp.guards import BodyLimit, Lifespan, SameOrigin

MEGABYTE = bytes(1024 * 1024)


class Receiver:
    """An application that reads the whole body, as Django does before it looks at anything."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            self.received += len(message["body"])
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def upload(app: Any, *, megabytes: int, declared: bytes | None) -> tuple[int, bytes]:
    headers = [] if declared is None else [(b"content-length", declared)]
    communicator = ApplicationCommunicator(app, {"type": "http", "headers": headers})
    for _ in range(megabytes):
        await communicator.send_input({"type": "http.request", "body": MEGABYTE, "more_body": True})
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await communicator.receive_output(timeout=5)
    body = await communicator.receive_output(timeout=5)
    assert dict(start["headers"]).get(b"content-type", b"application/problem+json") == b"application/problem+json"
    return start["status"], body["body"]


@pytest.mark.parametrize("declared", [str(200 * 1024**2).encode(), None, b"5", b"nonsense", b"-1"])
async def test_a_large_body_is_refused_before_it_is_kept(declared: bytes | None, settings: Any) -> None:
    app = Receiver()
    status, body = await upload(BodyLimit(app), megabytes=200, declared=declared)
    assert status == 413
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (413, "document_too_large")
    assert "50 MB" in problem["detail"]
    assert app.received <= settings.MAX_UPLOAD_BYTES + guards.FORM_OVERHEAD
    if declared and declared.isdigit() and int(declared) > 1000:
        assert app.received == 0


async def test_a_body_within_the_limit_passes(settings: Any) -> None:
    app = Receiver()
    assert await upload(BodyLimit(app), megabytes=50, declared=str(50 * 1024**2).encode()) == (200, b"done")
    assert app.received == 50 * 1024**2


async def test_nothing_large_reaches_the_upload_folder(settings: Any, tmp_path: Path) -> None:
    from chatapp.asgi import application

    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    headers = [(b"host", b"testserver"), (b"content-length", str(200 * 1024**2).encode())]
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/search", "query_string": b"", "headers": headers,
    }  # fmt: skip
    communicator = ApplicationCommunicator(application, scope)
    assert (await communicator.receive_output(timeout=5))["status"] == 413
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://testserver", "testserver", True),
        ("https://testserver", "testserver", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://127.0.0.1:8000", "127.0.0.1:9000", False),
        ("http://127.0.0.1", "127.0.0.1:8000", False),
        ("http://evil.test", "evil.test", False),
        ("http://localhost:8000", "127.0.0.1:8000", False),
        ("ftp://testserver", "testserver", False),
        ("", "testserver", False),
        ("null", "testserver", False),
        ("http://", "", False),
        ("http://[", "[", False),
        ("https://chat.example.org", "internal:8000", True),
        ("https://chat.example.org.evil.test", "internal:8000", False),
    ],
)
def test_only_the_own_origin_is_allowed(origin: str, host: str, allowed: bool, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://chat.example.org"]
    assert SameOrigin.allowed(origin, host) is allowed


@pytest.fixture
def lifespan(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    async def start(warm_up: Callable[[], None]) -> ApplicationCommunicator:
        monkeypatch.setattr(guards, "warm_up", warm_up)

        async def app(*_: Any) -> None:
            raise AssertionError("lifespan messages end at the guard")

        communicator = ApplicationCommunicator(Lifespan(app), {"type": "lifespan"})
        await communicator.send_input({"type": "lifespan.startup"})
        assert await communicator.receive_output(timeout=2) == {"type": "lifespan.startup.complete"}
        return communicator

    return start


async def test_start_does_not_wait_for_heavy_parts(lifespan: Any) -> None:
    import threading

    release, warmed = threading.Event(), threading.Event()

    def slow() -> None:
        release.wait(5)
        warmed.set()

    communicator = await lifespan(slow)
    assert not warmed.is_set()
    release.set()
    assert await asyncio.to_thread(warmed.wait, 5)
    await communicator.send_input({"type": "lifespan.shutdown"})
    assert await communicator.receive_output(timeout=5) == {"type": "lifespan.shutdown.complete"}


async def test_a_shutdown_that_hangs_is_cut(lifespan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chatapp.conversations import runs

    class Hanging:
        async def shutdown(self) -> None:
            raise TimeoutError

    monkeypatch.setattr(runs, "manager", Hanging)
    communicator = await lifespan(lambda: None)
    await communicator.send_input({"type": "lifespan.shutdown"})
    assert await communicator.receive_output(timeout=2) == {"type": "lifespan.shutdown.complete"}


def test_a_failed_warm_up_is_logged_and_harmless(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from knowledge import wiring

    def broken() -> None:
        raise OSError("no weights")

    monkeypatch.setattr(wiring, "embedder", broken)
    guards.warm_up()
    assert "Warm-up failed" in caplog.text


def test_reranker_with_a_model_is_warmed_up_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from chatapp.operations import parts
    from knowledge import llm, wiring
    from knowledge.documents import searching

    warmed: list[str] = []

    class Part:
        def __init__(self, name: str) -> None:
            self.name = name

        def embed_query(self, text: str) -> None:
            warmed.append(self.name)

        def warm_up(self) -> None:
            warmed.append(self.name)

    for name in ("embedder", "store"):
        monkeypatch.setattr(wiring, name, lambda name=name: Part(name))
    parts_with = SimpleNamespace(reranker=Part("reranker"))
    monkeypatch.setattr(searching, "retrieval_parts", lambda: parts_with)
    monkeypatch.setattr(parts, "wait_until_ready", lambda *, seconds: True)
    monkeypatch.setattr(llm, "warm_up", lambda: None)
    monkeypatch.setattr(guards.gc, "freeze", lambda: None)
    guards.warm_up()
    parts_with.reranker = object()  # one that has nothing to load
    guards.warm_up()
    assert warmed == ["embedder", "store", "reranker", "embedder", "store"]
    assert "Warm-up failed" not in caplog.text
