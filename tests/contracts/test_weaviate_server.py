"""Weaviate's own hazards, on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from knowledge.errors import StoreError
from knowledge.stores.weaviate import WeaviateStore
from knowledge.stores.weaviate_server import WeaviateServer
from knowledge.types import IndexRecord, Scope

SPACE = "hazard_8_abcdef01"


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


def write(store: WeaviateStore, scope: Scope, *, generation: str, count: int) -> None:
    (base,) = scope.knowledge_bases
    store.upsert(
        [
            IndexRecord(
                key=uid(), knowledge_base=base, generation=generation, document=uid(), version=uid(), ordinal=i,
                text="heron", terms="heron", vector=np.eye(8, dtype=np.float32)[i % 8],
            )
            for i in range(count)
        ],
        space=SPACE, scope=scope,
    )  # fmt: skip


def put_to_sleep(store: WeaviateStore, scope: Scope) -> Any:
    from weaviate.classes.tenants import Tenant, TenantActivityStatus

    tenants = store._collection(SPACE).tenants
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
