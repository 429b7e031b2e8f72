"""Documents over a real Weaviate server that refuses some objects, loses some, or has no room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from document_world import World
from weaviate_hazards import set_shard, spoil_vectors

from knowledge import wiring
from knowledge.documents import services, tasks
from knowledge.documents.models import DocumentVersion, IngestionJob
from knowledge.documents.signals import document_changed
from knowledge.stores.weaviate import WeaviateStore
from knowledge.stores.weaviate_server import WeaviateServer
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store(weaviate_server: WeaviateServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[WeaviateStore]:
    opened = WeaviateStore(weaviate_server.url, secret="s", grpc_port=weaviate_server.grpc_port)
    wiring.reset()  # the parts of a search are kept with their store
    monkeypatch.setattr(wiring, "store", lambda: opened)
    monkeypatch.setattr(tasks, "publish", lambda task, **arguments: True)
    monkeypatch.setattr(document_changed, "receivers", [])
    yield opened
    wiring.reset()
    opened.close()


@pytest.fixture
def world(store: WeaviateStore, tenant: Any) -> Iterator[World]:
    actor = system_actor(tenant)
    yield World(actor, services.create_knowledge_base(actor=actor, name="Handbook"))
    store.delete_tenant(tenant=str(tenant.pk))


def markdown(topic: str) -> str:
    return "\n\n".join(f"## {topic} part {n}\n\nThe {topic} rule number {n} is explained here." for n in range(9))


def run_again(world: World) -> None:
    """Run the waiting jobs although their pause is not over."""
    IngestionJob.objects.unfinished().update(not_before="2020-01-01T00:00Z")
    world.work()


def test_no_version_goes_live_of_a_batch_in_which_objects_were_refused(
    world: World, store: WeaviateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.add(markdown("otter"))
    with monkeypatch.context() as spoiled:
        spoil_vectors(store, spoiled, every=4)
        world.upload(markdown("badger"))
        for _ in range(3):
            run_again(world)
    document.refresh_from_db()
    assert document.status == "failed"
    assert "search index answered with an error" in document.error
    states = dict(document.versions.values_list("number", "state"))
    assert states == {1: DocumentVersion.State.LIVE, 2: DocumentVersion.State.FAILED}
    assert any("otter" in passage.text for passage in world.search("otter rule"))
    assert not any("badger" in passage.text for passage in world.search("badger rule"))


def test_no_version_goes_live_of_which_objects_are_lost(
    world: World, store: WeaviateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server said yes to each and holds fewer: only the count shows it."""
    real = store.upsert

    def lose(records: Any, **where: Any) -> int:
        held = real(records, **where)
        store.delete(keys=[records[0].key], **where)
        return held

    with monkeypatch.context() as losing:
        losing.setattr(store, "upsert", lose)
        document = world.upload(markdown("otter"))
        world.work()
    job = world.job(document)
    assert job.state == "queued"
    assert "holds 8 of 9 passages" in job.last_error
    assert world.search("otter rule") == []
    run_again(world)
    assert len(world.search("otter rule")) == 9


def test_ingestion_waits_for_room_on_the_index_disk_and_answers_go_on(world: World, store: WeaviateStore) -> None:
    world.add(markdown("otter"))
    doomed = world.add(markdown("stoat"), "stoat.md")
    set_shard(store, world.scope, "READONLY", space=world.space)
    document = world.upload(markdown("badger"), "other.md")
    for _ in range(5):
        run_again(world)
    job = world.job(document)
    assert (job.state, job.attempts) == ("queued", 0)
    assert job.last_error.startswith("The index disk is full.")
    services.delete_document(document=doomed)
    for _ in range(5):
        run_again(world)
    deletion = world.job(doomed)
    assert (deletion.state, deletion.attempts) == ("queued", 0)
    assert deletion.last_error.startswith("The index disk is full.")
    assert any("otter" in passage.text for passage in world.search("otter rule"))
    set_shard(store, world.scope, "READY", space=world.space)
    run_again(world)
    assert world.job(document).state == world.job(doomed).state == "done"
    assert any("badger" in passage.text for passage in world.search("badger rule"))
