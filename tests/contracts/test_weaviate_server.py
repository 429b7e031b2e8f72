"""Weaviate's own hazards, on the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from weaviate_hazards import set_shard, spoil_vectors

from knowledge.errors import IndexDiskFull, StoreBusy, StoreError
from knowledge.stores import weaviate
from knowledge.stores.weaviate import WeaviateStore
from knowledge.stores.weaviate_server import WeaviateServer
from knowledge.types import IndexRecord, Scope, StoreFacts

SPACE = "hazard_8_abcdef01"
COLD = "cold_8_abcdef01"


def uid() -> str:
    return str(uuid4())


@pytest.fixture
def store(weaviate_server: WeaviateServer) -> Iterator[WeaviateStore]:
    opened = WeaviateStore(weaviate_server.url, secret="s", grpc_port=weaviate_server.grpc_port)
    yield opened
    opened.close()


@pytest.fixture
def scope() -> Scope:
    return Scope(tenant=uid(), knowledge_bases=frozenset({uid()}))


def write(store: WeaviateStore, scope: Scope, *, generation: str, count: int, space: str = SPACE) -> None:
    (base,) = scope.knowledge_bases
    store.upsert(
        [
            IndexRecord(
                key=uid(), knowledge_base=base, generation=generation, document=uid(), version=uid(), ordinal=i,
                text="heron", terms="heron", vector=np.eye(8, dtype=np.float32)[i % 8],
            )
            for i in range(count)
        ],
        space=space, scope=scope,
    )  # fmt: skip


def put_to_sleep(store: WeaviateStore, scope: Scope, *, space: str = SPACE) -> Any:
    from weaviate.classes.tenants import Tenant, TenantActivityStatus

    tenants = store._collection(space).tenants
    tenants.update([Tenant(name=scope.tenant, activity_status=TenantActivityStatus.INACTIVE)])
    return tenants


def test_records_of_a_cold_tenant_are_deleted(store: WeaviateStore, scope: Scope) -> None:
    write(store, scope, generation=uid(), count=3)
    put_to_sleep(store, scope)
    assert store.delete(space=SPACE, scope=scope) == 3
    assert store.count(space=SPACE, scope=scope) == 0


def test_cold_tenant_is_searched_and_deleted(store: WeaviateStore, scope: Scope) -> None:
    generation = uid()
    write(store, scope, generation=generation, count=3)
    put_to_sleep(store, scope)
    hits = store.search_keyword(["heron"], space=SPACE, generations=[generation], limit=5, scope=scope)
    assert len(hits) == 3
    tenants = put_to_sleep(store, scope)
    store.delete_tenant(tenant=scope.tenant)
    assert not tenants.exists(scope.tenant)
    assert store.spaces(tenant=scope.tenant) == []


def asleep(store: WeaviateStore, scope: Scope, monkeypatch: pytest.MonkeyPatch, *, generation: str) -> list[str]:
    """Write three records where the server wakes nobody by itself, put the tenant to sleep and return their keys."""
    real = weaviate._definition

    def unhelpful() -> dict[str, Any]:
        from weaviate.classes.config import Configure

        tenancy = Configure.multi_tenancy(enabled=True, auto_tenant_creation=True, auto_tenant_activation=False)
        return {**real(), "multi_tenancy_config": tenancy}

    monkeypatch.setattr(weaviate, "_definition", unhelpful)
    write(store, scope, generation=generation, count=3, space=COLD)
    keys = [key for key, *_ in store.keys(space=COLD, scope=scope)]
    put_to_sleep(store, scope, space=COLD)
    return keys


OPERATIONS: dict[str, Callable[[WeaviateStore, dict[str, Any], str, list[str]], object]] = {
    "vector": lambda s, w, g, k: len(s.search_vector(np.eye(8, dtype=np.float32)[0], generations=[g], limit=9, **w)),
    "keyword": lambda s, w, g, k: len(s.search_keyword(["heron"], generations=[g], limit=9, **w)),
    "fetch": lambda s, w, g, k: len(s.fetch(k, **w)),
    "records": lambda s, w, g, k: len(list(s.records(keys=k, **w))),
    "count": lambda s, w, g, k: s.count(**w),
    "keys": lambda s, w, g, k: len(list(s.keys(**w))),
    "bases": lambda s, w, g, k: 3 * len(s.bases(space=COLD, tenant=w["scope"].tenant)),
    "delete": lambda s, w, g, k: s.delete(**w),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_tenant_that_nobody_wakes_is_woken(
    store: WeaviateStore, scope: Scope, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    generation = uid()
    keys = asleep(store, scope, monkeypatch, generation=generation)
    assert store.facts(space=COLD, tenant=scope.tenant) == StoreFacts(rows=None, state="inactive")  # and wakes it not
    assert OPERATIONS[operation](store, {"space": COLD, "scope": scope}, generation, keys) == 3
    left = 0 if operation == "delete" else 3
    assert store.facts(space=COLD, tenant=scope.tenant) == StoreFacts(rows=left, state="active")


def test_sleeping_tenant_is_written_to(store: WeaviateStore, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep(store, scope, monkeypatch, generation=uid())
    write(store, scope, generation=uid(), count=2, space=COLD)
    assert store.count(space=COLD, scope=scope) == 5


def test_tenant_that_takes_long_to_come_back_is_busy(
    store: WeaviateStore, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was offloaded to other storage; this server has none, so its state is told for it."""
    asleep(store, scope, monkeypatch, generation=uid())
    monkeypatch.setattr(weaviate, "WAKING_SECONDS", 0.3)
    monkeypatch.setattr(store, "_state", lambda space, tenant: "onloading")
    put_to_sleep(store, scope, space=COLD)
    with pytest.raises(StoreBusy, match="brought back"):
        store.delete(space=COLD, scope=scope)


def test_refused_objects_of_a_batch_are_an_error(
    store: WeaviateStore, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes the others and says so only in a list beside its answer."""
    write(store, scope, generation=uid(), count=1)
    spoil_vectors(store, monkeypatch, every=3)
    with pytest.raises(StoreError):
        write(store, scope, generation=uid(), count=5)
    assert 1 < store.count(space=SPACE, scope=scope) < 6, "some were written, or this proves nothing"


def test_server_without_room_takes_no_writes_and_goes_on_answering(store: WeaviateStore, scope: Scope) -> None:
    generation = uid()
    write(store, scope, generation=generation, count=3)
    set_shard(store, scope, "READONLY")
    with pytest.raises(IndexDiskFull):
        write(store, scope, generation=generation, count=1)
    with pytest.raises(IndexDiskFull):  # deleting many reports nothing: it only leaves them there
        store.delete(space=SPACE, scope=scope)
    hits = store.search_keyword(["heron"], space=SPACE, generations=[generation], limit=5, scope=scope)
    assert len(hits) == store.count(space=SPACE, scope=scope) == 3
    set_shard(store, scope, "READY")
    write(store, scope, generation=generation, count=1)
    assert store.delete(space=SPACE, scope=scope) == 4


def test_one_collection_serves_all_tenants(store: WeaviateStore, scope: Scope) -> None:
    other = Scope(tenant=uid(), knowledge_bases=frozenset({uid()}))
    write(store, scope, generation=uid(), count=1)
    write(store, other, generation=uid(), count=1)
    names = [name for name in store._connected().collections.list_all(simple=True) if SPACE in name.lower()]
    assert names == [f"Sealed_{SPACE}"]


def test_the_server_never_sees_a_readable_word(weaviate_server: WeaviateServer, tmp_path: Path, scope: Scope) -> None:
    """It removes deleted text when it merges its files, which may be never; so it gets none."""
    server = WeaviateServer(weaviate_server._binary, tmp_path)
    generation = uid()
    with server:
        store = WeaviateStore(server.url, secret="s", grpc_port=server.grpc_port)
        write(store, scope, generation=generation, count=5)
        hits = store.search_keyword(["heron"], space=SPACE, generations=[generation], limit=5, scope=scope)
        assert {(hit.text, hit.terms) for hit in hits} == {("heron", "heron")}
        store.close()
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(generation.encode() in data for data in files), "the records must be there, or this test proves nothing"
    assert not any(b"heron" in data for data in files)


def test_another_secret_reads_nothing_and_says_what_to_do(weaviate_server: WeaviateServer, scope: Scope) -> None:
    generation = uid()
    mine = WeaviateStore(weaviate_server.url, secret="s", grpc_port=weaviate_server.grpc_port)
    other = WeaviateStore(weaviate_server.url, secret="t", grpc_port=weaviate_server.grpc_port)
    write(mine, scope, generation=generation, count=1)
    assert other.search_keyword(["heron"], space=SPACE, generations=[generation], limit=5, scope=scope) == []
    with pytest.raises(StoreError, match="another SECRET_KEY"):
        other.search_vector(np.eye(8, dtype=np.float32)[0], space=SPACE, generations=[generation], limit=5, scope=scope)
    assert other.delete(space=SPACE, scope=scope) == 1
    mine.close()
    other.close()


def test_server_keeps_its_data_over_a_restart(weaviate_server: WeaviateServer, tmp_path: Any, scope: Scope) -> None:
    server = WeaviateServer(weaviate_server._binary, tmp_path)
    with server:
        store = WeaviateStore(server.url, secret="s", grpc_port=server.grpc_port)
        write(store, scope, generation=uid(), count=5)
        store.close()
    with server:
        store = WeaviateStore(server.url, secret="s", grpc_port=server.grpc_port)
        assert store.count(space=SPACE, scope=scope) == 5
        store.close()
