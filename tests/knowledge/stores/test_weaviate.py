"""What only the Weaviate store promises; the behaviour of a real server is in the contract suite."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from knowledge.errors import IndexDiskFull, StoreError, StoreUnavailable
from knowledge.stores.weaviate import WeaviateStore
from knowledge.stores.weaviate_calls import Missing, address, refusal
from knowledge.types import IndexRecord, Scope

SPACE = "test_8_abcdef01"
NOWHERE = "http://127.0.0.1:9"


def test_unreachable_server_is_unavailable(
    make: Callable[..., IndexRecord], scope: Scope, generations: list[str]
) -> None:
    store = WeaviateStore(NOWHERE, secret="s", grpc_port=10)
    record = make("heron")
    calls: list[Callable[[], object]] = [
        lambda: store.upsert([record], space=SPACE, scope=scope),
        lambda: store.search_vector(record.vector, space=SPACE, generations=generations, limit=5, scope=scope),
        lambda: store.search_keyword(["heron"], space=SPACE, generations=generations, limit=5, scope=scope),
        lambda: store.count(space=SPACE, scope=scope),
        lambda: store.delete(space=SPACE, scope=scope),
        lambda: store.spaces(tenant=scope.tenant),
        lambda: store.bases(space=SPACE, tenant=scope.tenant),
        lambda: list(store.keys(space=SPACE, scope=scope)),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()
    health = store.health()
    assert (health.ok, health.name) == (False, "weaviate")
    assert health.detail


@contextmanager
def meta_server(version: str) -> Iterator[str]:
    """A server that only tells its version."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"version": version, "hostname": "x", "modules": {}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("version", "ok"),
    [("1.35.9", False), ("1.36.0", True), ("1.39.2-rc.0", True), ("1.99.0", True), ("2.0.1", False), ("1.27.0", False)],
)
def test_health_checks_the_range_of_versions(version: str, ok: bool) -> None:
    with meta_server(version) as url:
        store = WeaviateStore(url, secret="s", grpc_port=9)
        health = store.health()
        store.close()
    assert (health.ok, health.version) == (ok, version)
    assert ok or version in health.detail


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("tenant not found: x", Missing),
        ("could not find class Space_x in schema", Missing),
        ("store is read-only due to: resource pressure", IndexDiskFull),
        ("rpc error: code = Unavailable", StoreUnavailable),
        ("Deadline Exceeded", StoreUnavailable),
        ("secret document text", StoreError),
    ],
)
def testrefusals_are_told_apart_without_their_words(said: str, kind: type[StoreError]) -> None:
    error = refusal(said)
    assert type(error) is kind
    assert said not in str(error)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://weaviate:8080", ("weaviate", 8080, False)),
        ("https://search.example", ("search.example", 443, True)),
        ("grpcs://search.example:50443", ("search.example", 50443, True)),
        ("weaviate:8080", ("weaviate", 8080, False)),
    ],
)
def test_addresses(url: str, expected: tuple[str, int, bool]) -> None:
    assert address(url) == expected


def test_addresses_that_cannot_work_are_refused() -> None:
    with pytest.raises(StoreUnavailable):
        WeaviateStore("http://", secret="s")
    with pytest.raises(StoreUnavailable):
        WeaviateStore("http://localhost:8080", secret="s", grpc_port=8080)
