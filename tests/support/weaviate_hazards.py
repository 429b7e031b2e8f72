"""What goes wrong on a Weaviate server, brought about on a real one."""

from __future__ import annotations

import json
import urllib.request
from itertools import count
from typing import Any

import pytest

from knowledge.stores.weaviate import PREFIX, WeaviateStore
from knowledge.types import Scope


def set_shard(store: WeaviateStore, scope: Scope, state: str, *, space: str = "hazard_8_abcdef01") -> None:
    """Put the tenant's shard into READONLY, as the server does when its disk is nearly full, or READY."""
    host, port, _ = store._http
    name = (PREFIX + space)[0].upper() + (PREFIX + space)[1:]
    request = urllib.request.Request(
        f"http://{host}:{port}/v1/schema/{name}/shards/{scope.tenant}",
        data=json.dumps({"status": state}).encode(), headers={"Content-Type": "application/json"}, method="PUT",
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200


def spoil_vectors(store: WeaviateStore, monkeypatch: pytest.MonkeyPatch, *, every: int) -> None:
    """Send every n-th object with a vector of another dimension, which the server refuses alone."""
    from weaviate.classes.data import DataObject

    real, numbers = store._to_object, count(1)

    def spoiled(*args: Any) -> Any:
        made = real(*args)
        if next(numbers) % every:
            return made
        return DataObject(uuid=made.uuid, properties=made.properties, vector=[1.0, 0.0, 0.0])

    monkeypatch.setattr(store, "_to_object", spoiled)
