"""A tenant with a few real documents, a model that answers by script, and a browser's socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asgiref.testing import ApplicationCommunicator
from django.core.files.base import ContentFile
from django.test import AsyncClient, Client

TERMINAL = ("answer.done", "run.error")

VISITORS = """# Visitor rules

Visitors register at the front desk before 18:00 and wear a badge on all floors.

## Parking

Guests may park in the yard behind the north gate for 90 minutes.
"""

LEAVE = """# Annual leave

Every employee has 27 days of annual leave, requested in the staff portal.

## Carrying days over

Unused days may be carried over until 31 March of the following year.
"""


@dataclass(frozen=True)
class Library:
    """A tenant's knowledge base with two documents that were really ingested."""

    tenant: Any
    base: Any
    documents: tuple[Any, ...]


def actor_in(tenant: Any) -> Any:
    from knowledge.tenants.access import system_actor

    return system_actor(tenant)


def ingest(*, tenant: Any, base: Any, filename: str, text: str) -> Any:
    """Upload a text and run its job in this process, as a worker would."""
    from knowledge.documents import services
    from knowledge.documents.ingest import run_ingest

    upload = ContentFile(text.encode(), name=filename)
    document = services.upload_document(actor=actor_in(tenant), base=base, upload=upload, filename=filename)
    run_ingest(job_id=document.jobs.get().pk)
    document.refresh_from_db()
    assert document.status == "ready", document.error
    return document


@pytest.fixture(scope="session")
def _parts() -> Iterator[None]:
    from django.conf import settings

    from knowledge import llm, wiring

    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)  # made by bootstrap in the product
    llm.warm_up()
    yield
    wiring.reset()


@pytest.fixture
def make_library(_parts: None, redis_server: Any) -> Callable[..., Library]:
    """Call with a tenant to give it a knowledge base with two documents."""
    from knowledge.documents.services import create_knowledge_base

    def make(tenant: Any, *, name: str = "House rules") -> Library:
        base = create_knowledge_base(actor=actor_in(tenant), name=name)
        documents = (
            ingest(tenant=tenant, base=base, filename="visitors.md", text=VISITORS),
            ingest(tenant=tenant, base=base, filename="leave.md", text=LEAVE),
        )
        return Library(tenant, base, documents)

    return make


@pytest.fixture
def library(make_library: Callable[..., Library], tenant: Any) -> Library:
    return make_library(tenant)


@pytest.fixture
def use_model(scripted_model: Any) -> Callable[..., Any]:
    """Call with a tenant and a name of the scripted model: it becomes what the default assistant answers with."""
    from chatapp.conversations.services import ensure_default_assistant
    from chatapp.language_models.models import LanguageModel

    def use(tenant: Any, name: str, *, bases: Any = ()) -> Any:
        model, _ = LanguageModel.objects.update_or_create(
            tenant=tenant,
            slug="scripted",
            defaults={
                "name": "Scripted", "model": f"openai/{name}", "api_base": scripted_model.url, "source": "environment",
            },
        )  # fmt: skip
        return ensure_default_assistant(tenant=tenant, knowledge_bases=bases, language_model=model)

    return use


@pytest_asyncio.fixture(loop_scope="session")
async def _runs_end(_parts: None, redis_server: Any) -> AsyncIterator[None]:
    """No run outlives its test."""
    yield
    from chatapp.conversations.runs import manager

    await manager().shutdown()


@pytest.fixture
def cookie() -> Callable[[Any], str]:
    """Call with a user to sign in; returns the value of the ``Cookie`` header."""

    def sign_in(user: Any) -> str:
        client = Client()
        client.force_login(user)
        return f"sessionid={client.cookies['sessionid'].value}"

    return sign_in


class Socket:
    """A page's socket through the whole ASGI application, as a server would speak to it."""

    def __init__(self, *, cookie: str = "", origin: str | None = "http://testserver", path: str = "/ws/chat/") -> None:
        from chatapp.asgi import application

        headers = [(b"host", b"testserver"), (b"cookie", cookie.encode())]
        if origin is not None:
            headers.append((b"origin", origin.encode("latin-1")))
        scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
        self.socket = ApplicationCommunicator(application, scope)

    async def open(self) -> tuple[bool, int]:
        """Return whether the server accepted, and else the code it closed with."""
        await self.socket.send_input({"type": "websocket.connect"})
        output = await self.socket.receive_output(timeout=5)
        return output["type"] == "websocket.accept", int(output.get("code") or 0)

    async def send_raw(self, text: str | None = None, data: bytes | None = None) -> None:
        await self.socket.send_input({"type": "websocket.receive", "text": text, "bytes": data})

    async def send(self, **message: Any) -> None:
        await self.send_raw(json.dumps({"v": 1, **message}))

    async def receive(self, *, limit: float = 8) -> dict[str, Any]:
        output = await self.socket.receive_output(timeout=limit)
        assert output["type"] == "websocket.send", output
        message: dict[str, Any] = json.loads(output["text"])
        return message

    async def until(self, *kinds: str, limit: float = 8) -> list[dict[str, Any]]:
        """Receive up to and with the first message of one of the types."""
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["type"] not in kinds:
            seen.append(await self.receive(limit=limit))
        return seen

    async def ask(self, text: str, **more: Any) -> list[dict[str, Any]]:
        """Ask and return every event up to the last one."""
        await self.send(type="ask", text=text, **more)
        return await self.until(*TERMINAL, "error")

    async def error(self) -> dict[str, Any]:
        message = await self.receive()
        assert message["type"] == "error", message
        return message

    async def alive(self) -> bool:
        await self.send(type="ping")
        return bool((await self.until("pong"))[-1]["type"] == "pong")

    async def closed(self, *, limit: float = 8) -> int:
        """Wait until the server closes, and return its code."""
        while True:
            output = await self.socket.receive_output(timeout=limit)
            if output["type"] == "websocket.close":
                return int(output["code"])

    async def close(self) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.socket.wait(timeout=5)


@pytest_asyncio.fixture(loop_scope="session")
async def make_socket(_runs_end: None) -> AsyncIterator[Callable[..., Socket]]:
    """Call with cookie, origin and path to get a socket that is not open yet."""
    made: list[Socket] = []

    def make(**more: Any) -> Socket:
        made.append(Socket(**more))
        return made[-1]

    yield make
    for one in made:
        if not one.socket.future.done():
            await one.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_chat(
    make_socket: Callable[..., Socket], cookie: Callable[[Any], str]
) -> Callable[[Any], Coroutine[Any, Any, Socket]]:
    """Await with a user to get an open chat socket."""

    async def make(user: Any) -> Socket:
        one = make_socket(cookie=await in_thread(cookie, user))
        accepted, _ = await one.open()
        assert accepted
        return one

    return make


class Api:
    """An HTTP client with a key, whose calls run in the test's own event loop."""

    def __init__(self, key: str) -> None:
        self.client = AsyncClient()
        self.headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str) -> Any:
        return await self.client.get(f"/api/v1{path}", headers=self.headers)

    async def post(self, path: str, body: Any) -> Any:
        data = body if isinstance(body, str) else json.dumps(body)
        return await self.client.post(f"/api/v1{path}", data, content_type="application/json", headers=self.headers)


@pytest.fixture
def make_api(_runs_end: None) -> Callable[[str], Api]:
    return Api


@pytest.fixture
def api(api_key: str, make_api: Callable[[str], Api]) -> Api:
    """The API with the owner's key."""
    return make_api(api_key)


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    from chatapp.conversations.database import in_thread as run

    return await run(function, *args, **kwargs)


@pytest.fixture
def rows() -> Callable[..., Any]:
    """Await with a function that reads the database: it runs in a thread, as asynchronous code must."""
    return in_thread


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Await with a function: ask it again until it returns something true."""

    async def wait(question: Callable[[], Any], *, limit: float = 8) -> Any:
        async with asyncio.timeout(limit):
            while not (answer := await in_thread(question)):
                await asyncio.sleep(0.02)
            return answer

    return wait
