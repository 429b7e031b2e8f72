"""Reconciliation over every store: what a knowledge base left whose row is gone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from knowledge import wiring
from knowledge.documents.indexes.reconcile import reconcile
from knowledge.documents.models import KnowledgeBase
from knowledge.stores.base import Store
from knowledge.types import IndexRecord, Scope

pytestmark = pytest.mark.django_db

SPACE = "test_8_abcdef01"


@pytest.fixture
def store(store_settings: dict[str, Any], tenant: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    module, _, name = store_settings["class"].rpartition(".")
    opened: Store = getattr(import_module(module), name)(**store_settings["arguments"])
    monkeypatch.setattr(wiring, "store", lambda: opened)
    yield opened
    opened.delete_tenant(tenant=str(tenant.pk))
    opened.close()


def scope_of(tenant: Any, base: str) -> Scope:
    return Scope(tenant=str(tenant.pk), knowledge_bases=frozenset({base}))


def write(store: Store, tenant: Any, base: str) -> str:
    """Write a record of a base and return its key."""
    generation, document, version = (str(uuid4()) for _ in range(3))
    record = IndexRecord(
        key=str(uuid4()), knowledge_base=base, generation=generation, document=document, version=version, ordinal=0,
        text="ghost", terms="ghost", vector=np.ones(8, dtype=np.float32),
    )  # fmt: skip
    store.upsert([record], space=SPACE, scope=scope_of(tenant, base))
    return record.key


def test_records_of_gone_bases_are_found_and_removed_and_others_stay(
    store: Store, tenant: Any, other_tenant: Any
) -> None:
    there = str(KnowledgeBase.objects.create(tenant=tenant, name="Handbook", slug="handbook").pk)
    gone, foreign = str(uuid4()), str(uuid4())
    keys = [write(store, tenant, base) for base in (there, gone, gone)]
    write(store, other_tenant, foreign)
    found = reconcile(tenant=tenant, repair=False)
    assert sorted(found.orphans) == sorted(keys)
    assert (found.records, found.repaired) == (3, 0)
    assert reconcile(tenant=tenant, repair=True).repaired == 3
    assert store.count(space=SPACE, scope=scope_of(tenant, gone)) == 0
    assert store.count(space=SPACE, scope=scope_of(other_tenant, foreign)) == 1
    assert reconcile(tenant=tenant, repair=False).agrees
    store.delete_tenant(tenant=str(other_tenant.pk))
