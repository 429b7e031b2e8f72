"""Index generations over every store: two of one space beside each other, with their vectors used again."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from document_world import World

from knowledge import wiring
from knowledge.documents import services, tasks
from knowledge.documents.indexes import building, generations
from knowledge.documents.models import Chunk, Document, IndexGeneration, IndexJob
from knowledge.documents.signals import document_changed
from knowledge.ingestion import stages
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(store_settings: dict[str, Any], tenant: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    module, _, name = store_settings["class"].rpartition(".")
    opened = getattr(import_module(module), name)(**store_settings["arguments"])
    monkeypatch.setattr(tasks, "publish", lambda *_, **__: True)
    monkeypatch.setattr(document_changed, "receivers", [])
    wiring.reset()
    monkeypatch.setattr(wiring, "store", lambda: opened)
    actor = system_actor(tenant)
    yield World(actor, services.create_knowledge_base(actor=actor, name="Handbook"))
    opened.delete_tenant(tenant=str(tenant.pk))
    opened.close()
    wiring.reset()


def held(world: World, generation: IndexGeneration) -> set[str]:
    keys = wiring.store().keys(space=generation.space, scope=world.scope, generation=str(generation.pk))
    return {key for key, _document, _version in keys}


def rows(generation: IndexGeneration) -> set[str]:
    return {str(pk) for pk in Chunk.objects.filter(generation=generation).values_list("pk", flat=True)}


def work() -> None:
    for job in IndexJob.objects.all():
        building.run(job_id=job.pk)


def test_two_generations_of_one_space_live_and_go_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n\n".join(f"## Otter part {n}\n\nThe otter rule number {n} is explained here." for n in range(4))
    world.add(text, "a.md")
    world.add("The heron stands at dawn.", "b.md")
    world.base.refresh_from_db()
    before = world.base.live_generation
    embedded: list[str] = []
    real = stages.embed
    monkeypatch.setattr(stages, "embed", lambda wholes, *a, **k: embedded.extend(wholes) or real(wholes, *a, **k))
    made = generations.start(base=world.base, chunker="structural:target=200")
    work()
    assert embedded == []  # the same passages, whose vectors the store gave back
    assert held(world, before) == rows(before) != set()
    assert held(world, made) == rows(made) != set()
    first = [(p.title, p.text) for p in world.search("otter rule number 2")]
    assert generations.make_live(made) is True
    assert [(p.title, p.text) for p in world.search("otter rule number 2")] == first
    services.delete_document(document=Document.objects.get(name="b.md"))
    world.work()
    assert held(world, before) == rows(before)
    assert held(world, made) == rows(made)
    assert {p.title for p in world.search("heron")} == {"a.md"}
    generations.remove(before)
    work()
    assert held(world, before) == set()
    assert held(world, made) == rows(made) != set()
    assert [(p.title, p.text) for p in world.search("otter rule number 2")] == [
        pair for pair in first if pair[0] == "a.md"
    ]
