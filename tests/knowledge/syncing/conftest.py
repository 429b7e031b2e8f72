"""A knowledge base with sources. Nothing is sent; runs are run by the test, as a worker would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _parts() -> Iterator[None]:
    from django.conf import settings

    from knowledge import wiring

    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    yield
    wiring.reset()


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """Every task that would have been sent, as ``(name, arguments)``; no broker, no notice."""
    from knowledge.documents import tasks
    from knowledge.documents.signals import document_changed

    found: list[tuple[str, dict[str, object]]] = []

    def record(task: Any, **arguments: object) -> bool:
        found.append((task.name.rpartition(".")[2], arguments))
        return True

    monkeypatch.setattr(tasks, "publish", record)
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
def shelf(monkeypatch: pytest.MonkeyPatch) -> Any:
    from listed_source import install

    return install(monkeypatch)


@pytest.fixture
def source(shelf: Any, actor: Any, base: Any) -> Any:
    from knowledge.syncing import services

    return services.create_source(actor=actor, base=base, kind="listed", name="Shelf", options={"shelf": "A"})


@pytest.fixture
def sync(actor: Any) -> Callable[..., Any]:
    """Call with a source: starts a run, does it, and returns the row as it is then."""
    from knowledge.syncing import runs, services
    from knowledge.syncing.models import SyncRun

    def run(source: Any, **more: Any) -> Any:
        started = services.start_run(source=source, actor=actor, **more)
        runs.run_sync(run_id=started.pk)
        return SyncRun.objects.get(pk=started.pk)

    return run
