"""A document is replaced while searches run, on every store: each finds it, and finds one version of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from document_world import World

from knowledge import wiring
from knowledge.documents import services, tasks, versions
from knowledge.documents.signals import document_changed
from knowledge.stores.base import Store
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "What is the fee for a duplicate badge?"
REPLACEMENTS = 20


@pytest.fixture
def store(store_settings: dict[str, Any], tenant: Any) -> Iterator[Store]:
    module, _, name = store_settings["class"].rpartition(".")
    wiring.reset()
    opened = wiring.once("store", lambda: getattr(import_module(module), name)(**store_settings["arguments"]))
    yield opened
    opened.delete_tenant(tenant=str(tenant.pk))
    wiring.reset()


@pytest.fixture
def world(store: Store, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(tasks, "publish", lambda *_, **__: True)
    monkeypatch.setattr(document_changed, "receivers", [])
    actor = system_actor(tenant)
    return World(actor, services.create_knowledge_base(actor=actor, name="Handbook"))


def fees(number: int) -> str:
    """A document of several passages that answer the question, and others beside."""
    parts = [f"## Fee part {n}\n\nThe fee for a duplicate badge of kind {n} is {number} euros." for n in range(3)]
    return "\n\n".join(parts)


class Searching:
    """Searches all the time, until it is left."""

    def __init__(self, world: World, document: str) -> None:
        self.seen: list[tuple[int, ...]] = []  # of each search: the versions of the document that it found
        self.errors: list[BaseException] = []
        self._world, self._document = world, document
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]

    def __enter__(self) -> Searching:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                found = self._world.search(QUESTION)
                self.seen.append(tuple(sorted({p.version for p in found if p.document == self._document})))
        except BaseException as error:  # noqa: BLE001  told by the test
            self.errors.append(error)
        finally:
            connection.close()


def test_no_search_finds_none_or_two_versions_while_a_document_is_replaced(world: World) -> None:
    document = world.add(fees(0), "fees.md")
    for n in range(5):
        world.add(f"The heron number {n} stands in the water.", f"heron-{n}.md")
    with Searching(world, str(document.pk)) as searching:
        for number in range(1, REPLACEMENTS):
            world.add(fees(number), "fees.md")
        versions.restore_version(document=document, number=1, actor=world.actor)
        world.work()
        last = time.monotonic() + 0.3
        while time.monotonic() < last:
            time.sleep(0.05)
    assert searching.errors == []
    assert {len(found) for found in searching.seen} == {1}
    assert searching.seen[-1] == (REPLACEMENTS + 1,)
    assert len(set(searching.seen)) > 3  # they did run meanwhile
    print(f"{len(searching.seen)} searches, {len(set(searching.seen))} versions met")


@pytest.fixture
def before_join(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call with what shall happen once, between the store's answer and the join against live rows."""
    from knowledge.documents import live

    def arrange(action: Callable[[], object]) -> None:
        real, waiting = live.LiveRows.passages, [action]

        def passages(self: Any, keys: Any, *, scope: Any) -> Any:
            if waiting:
                waiting.pop()()
            return real(self, keys, scope=scope)

        monkeypatch.setattr(live.LiveRows, "passages", passages)

    return arrange


def test_a_document_replaced_in_the_middle_of_a_search_is_found(
    world: World, before_join: Callable[[Callable[[], object]], None]
) -> None:
    world.add(fees(0), "fees.md")
    before_join(lambda: world.add(fees(1), "fees.md"))
    assert {passage.version for passage in world.search(QUESTION)} == {2}


def test_a_document_deleted_in_the_middle_of_a_search_is_not_found(
    world: World, before_join: Callable[[Callable[[], object]], None]
) -> None:
    document = world.add(fees(0), "fees.md")
    before_join(lambda: services.delete_document(document=document))
    assert world.search(QUESTION) == []
