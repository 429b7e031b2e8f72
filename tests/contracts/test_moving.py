"""Moving an index between stores, in both directions, over real documents and a real Weaviate server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from document_world import World

from knowledge import wiring
from knowledge.documents import services, tasks
from knowledge.documents.indexes import moving, moving_check
from knowledge.documents.models import Document
from knowledge.documents.signals import document_changed
from knowledge.errors import IndexMismatch
from knowledge.stores.base import Store
from knowledge.stores.lance import LanceStore
from knowledge.stores.weaviate import WeaviateStore
from knowledge.stores.weaviate_server import WeaviateServer
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["lance to weaviate", "weaviate to lance"])
def stores(
    request: pytest.FixtureRequest, weaviate_server: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Store, Store]]:
    """The source, which the product uses, and the target."""
    lance = LanceStore(tmp_path / "lance")
    weaviate = WeaviateStore(weaviate_server.url, secret="s", grpc_port=weaviate_server.grpc_port)
    pair = (lance, weaviate) if request.param == "lance to weaviate" else (weaviate, lance)
    wiring.reset()
    monkeypatch.setattr(wiring, "store", lambda: pair[0])
    monkeypatch.setattr(tasks, "publish", lambda task, **arguments: True)
    monkeypatch.setattr(document_changed, "receivers", [])
    yield pair
    wiring.reset()
    for store in pair:
        store.close()


@pytest.fixture
def world(stores: tuple[Store, Store], tenant: Any) -> Iterator[World]:
    actor = system_actor(tenant)
    yield World(actor, services.create_knowledge_base(actor=actor, name="Handbook"))
    for store in stores:
        store.delete_tenant(tenant=str(tenant.pk))


@pytest.fixture
def embeddings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many passages were embedded, a number for each call."""
    counted: list[int] = []
    embedder = wiring.embedder()
    for name in ("embed_passages", "embed_with_tokens"):
        real = getattr(embedder, name)
        monkeypatch.setattr(embedder, name, lambda texts, real=real: counted.append(len(texts)) or real(texts))
    return counted


def markdown(topic: str, count: int = 9) -> str:
    return "\n\n".join(
        f"## {topic} part {n}\n\nThe {topic} rule number {n} is explained here at length." for n in range(count)
    )


def move(world: World, stores: tuple[Store, Store], **more: Any) -> list[moving.Part]:
    more = {"say": lambda words: None, **more}
    return moving.move(world.base.tenant, source=stores[0], target=stores[1], **more)


def keys(store: Store, world: World) -> set[str]:
    return {key for key, *_ in store.keys(space=world.space, scope=world.scope)}


def test_copy_is_whole_embeds_nothing_and_answers_alike(
    world: World, stores: tuple[Store, Store], embeddings: list[int]
) -> None:
    for topic in ("otter", "stoat", "badger"):
        world.add(markdown(topic), f"{topic}.md")
    embeddings.clear()
    (part,) = move(world, stores, batch=10)
    assert embeddings == []
    assert (part.copied, part.renewed, part.removed, part.agrees) == (27, 0, 0, True)
    assert part.counts == {"": (27, 27), str(world.base.generations.get().pk): (27, 27)}
    (again,) = move(world, stores)
    assert (again.copied, again.renewed, again.removed) == (0, 0, 0)
    questions = moving_check.sample(world.base.tenant, count=20)
    assert len(questions) == 20
    found = moving_check.ask_both(world.base.tenant, questions, source=stores[0], target=stores[1])
    assert (found.asked, found.first) == (20, 1.0)
    assert found.overlap >= 0.95
    stores[1].delete(space=world.space, scope=world.scope, keys=sorted(keys(stores[1], world))[:14])
    worse = moving_check.ask_both(world.base.tenant, questions, source=stores[0], target=stores[1])
    assert worse.overlap < 0.8, "the measure must see a copy that lacks half"
    assert worse.worst
    (seen,) = moving.verify(world.base.tenant, source=stores[0], target=stores[1])
    assert (seen.agrees, seen.counts[""]) == (False, (27, 13))


def test_changes_made_meanwhile_are_caught_up(world: World, stores: tuple[Store, Store]) -> None:
    for topic in ("otter", "stoat", "badger"):
        world.add(markdown(topic), f"{topic}.md")
    doomed = Document.objects.get(name="stoat.md")
    waiting: list[Callable[[], object]] = [
        lambda: world.add(markdown("heron"), "heron.md"),
        lambda: (services.delete_document(document=doomed), world.work()),
        lambda: world.add(markdown("otter", 4), "otter.md"),  # a new version
        # the same version with another title: the same keys, other terms and vectors
        lambda: world.add(markdown("badger"), "badger.md", title="Rules of the badgers"),
    ]

    def meanwhile(words: str) -> None:
        if waiting:
            waiting.pop(0)()

    (part,) = move(world, stores, say=meanwhile, batch=5)
    assert not waiting
    assert part.agrees
    assert part.renewed > 0
    assert part.removed > 0
    assert keys(stores[0], world) == keys(stores[1], world) == world.keys()
    one, other = ({r.key: r for r in s.records(space=world.space, scope=world.scope)} for s in stores)
    assert {key: record.terms for key, record in one.items()} == {key: record.terms for key, record in other.items()}
    assert len(one) == 9 + 4 + 9


def test_store_that_is_out_of_date_is_not_copied_over_the_one_in_use(
    world: World, stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch was made, and somebody names the old direction again."""
    world.add(markdown("otter"), "otter.md")
    move(world, stores)
    monkeypatch.setattr(wiring, "store", lambda: stores[1])
    world.add(markdown("heron"), "heron.md")
    with pytest.raises(IndexMismatch, match="9 live passages that the other one holds"):
        move(world, stores)
    assert len(keys(stores[1], world)) == 18


def test_old_store_is_emptied_and_counted(world: World, stores: tuple[Store, Store]) -> None:
    world.add(markdown("otter"), "otter.md")
    move(world, stores)
    assert moving.forget(world.base.tenant, source=stores[0]) == 9
    assert stores[0].spaces(tenant=str(world.actor.tenant_id)) == []
    assert len(keys(stores[1], world)) == 9


def test_documents_that_never_rest_are_told_of(world: World, stores: tuple[Store, Store]) -> None:
    world.add(markdown("otter"), "otter.md")
    real = stores[0].keys
    extra = world.base.generations.get()

    def restless(**where: Any) -> Any:
        (record,) = list(stores[0].records(keys=[next(iter(real(**where)))[0]], **where))
        fresh = type(record)(**{
            name: getattr(record, name) for name in ("knowledge_base", "document", "version", "text", "terms", "vector")
        }, key=str(uuid4()), generation=str(extra.pk), ordinal=0)  # fmt: skip
        stores[0].upsert([fresh], **where)
        return real(**where)

    stores[0].keys = restless  # type: ignore[method-assign]
    with pytest.raises(IndexMismatch, match="change faster than they are copied"):
        move(world, stores)
