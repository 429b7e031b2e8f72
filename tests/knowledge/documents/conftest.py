"""One knowledge base over real parts: database file, LanceDB, embedding model, parser child. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _parts() -> Iterator[None]:
    """The folder the pages' middleware asks for; and no parser child outlives the tests."""
    from django.conf import settings

    from knowledge import wiring

    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    yield
    wiring.reset()


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """Every task that would have been sent, as ``(name, arguments)``; no broker, no notice."""
    from knowledge.documents import broker, tasks
    from knowledge.documents.signals import document_changed

    found: list[tuple[str, dict[str, object]]] = []

    def record(task: Any, **arguments: object) -> bool:
        found.append((task.name.rpartition(".")[2], arguments))
        return True

    monkeypatch.setattr(tasks, "publish", record)
    monkeypatch.setattr(broker, "waiting", lambda queue: 1)
    monkeypatch.setattr(document_changed, "receivers", [])
    return found


@pytest.fixture
def actor(tenant: Any) -> Any:
    from knowledge.tenants.access import system_actor

    return system_actor(tenant)


@pytest.fixture
def base(actor: Any) -> Any:
    from knowledge.documents import services

    return services.create_knowledge_base(actor=actor, name="Handbook")


@pytest.fixture
def world(actor: Any, base: Any, sent: list[tuple[str, dict[str, object]]]) -> Any:
    from document_world import World

    return World(actor, base, sent)


@pytest.fixture
def other_world(other_tenant: Any) -> Any:
    """Another tenant's knowledge base of the same name."""
    from document_world import World

    from knowledge.documents import services
    from knowledge.tenants.access import system_actor

    actor = system_actor(other_tenant)
    return World(actor, services.create_knowledge_base(actor=actor, name="Handbook"))


@pytest.fixture
def after_parse(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call with what shall happen once, between the next parse and everything after it."""

    from knowledge import wiring

    def arrange(action: Callable[[], object]) -> None:
        real, waiting = wiring.parser(), [action]

        class Parser:
            kill = real.kill

            def parse(self, *args: Any, **kwargs: Any) -> Any:
                parsed = real.parse(*args, **kwargs)
                if waiting:
                    waiting.pop()()
                return parsed

        monkeypatch.setattr(wiring, "parser", Parser)

    return arrange


@pytest.fixture
def after_batch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call with what shall happen once, after the next batch of records was written."""

    from knowledge.ingestion import stages

    def arrange(action: Callable[[], object]) -> None:
        real, waiting = stages.write, [action]

        def write(*args: Any, **kwargs: Any) -> Any:
            for done in real(*args, **kwargs):
                if waiting:
                    waiting.pop()()
                yield done

        monkeypatch.setattr(stages, "write", write)

    return arrange


@pytest.fixture
def sections() -> Callable[..., str]:
    """Call with a topic and a number to make a Markdown document of that many chunks."""

    def make(topic: str, count: int) -> str:
        return "\n\n".join(
            f"## {topic} part {n}\n\nThe {topic} rule number {n} is explained here." for n in range(count)
        )

    return make
