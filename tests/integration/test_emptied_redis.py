"""Redis is killed and loses all it knew while documents are read; and a file comes twenty times at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest
from amount import of
from running import Running
from servers import RedisByUrl

from chatapp.operations.bench import corpus
from chatapp.operations.bench.client import Upload
from chatapp.operations.redis_server import RedisMissing, redis_binary

pytestmark = [pytest.mark.timeout(1200)]

DOCUMENTS = of(40, 100)


@pytest.fixture(scope="module")
def redis_by_url(missing_part: Callable[[str, str], NoReturn]) -> Iterator[RedisByUrl]:
    try:
        program = redis_binary()
    except RedisMissing:
        missing_part("Redis", "apt-get install redis-server")
    with RedisByUrl(program) as server:
        yield server


@pytest.fixture(scope="module")
def running(redis_by_url: RedisByUrl, start_product: Callable[..., Running]) -> Iterator[Running]:
    product = start_product(REDIS_URL=redis_by_url.url)
    yield product
    product.app.stop()


def test_all_become_ready_though_redis_forgot_them(
    running: Running, redis_by_url: RedisByUrl, eventually: Callable[..., Any]
) -> None:
    base = running.client.knowledge_base("forgotten")
    sent = {str(running.client.upload(base, file)["id"]) for file in corpus.documents(DOCUMENTS, sections=1)}
    rows = lambda: running.client.documents(base).values()  # noqa: E731
    eventually(lambda: any(row["status"] == "ready" for row in rows()), within=300, what="the first one is ready")
    with redis_by_url.client() as client:
        assert client.llen("ingest") > 10, "messages must be lost, or this test proves nothing"
    redis_by_url.lose_everything()
    with redis_by_url.client() as client:
        assert client.llen("ingest") == 0
    assert any(row["status"] == "queued" for row in rows()), "all were done before, so nothing was shown"
    ended = running.client.wait(base, sent, limit=600)
    assert {row["status"] for row in ended.values()} == {"ready"}
    assert {row["chunks"] for row in ended.values()} == {1}
    kept, held = running.rows_and_records(base)
    assert kept == held
    assert len(kept) == DOCUMENTS
    eventually(lambda: running.app.call("GET", "/readyz")[0] == 200, within=60, what="all parts work again")


def test_a_file_that_comes_twenty_times_at_once_is_one_version(running: Running) -> None:
    base = running.client.knowledge_base("twins")
    file = Upload("tide.md", b"# Tide\n\nThe tide bell rings at 04:40.\n")
    with ThreadPoolExecutor(20) as threads:
        rows = list(threads.map(lambda _: running.client.upload(base, file), range(20)))
    assert len({row["id"] for row in rows}) == 1
    document = str(rows[0]["id"])
    ended = running.client.wait(base, {document}, limit=120)[document]
    assert (ended["status"], ended["version"], ended["chunks"]) == ("ready", 1, 1)
    versions = running.client.call("GET", f"/documents/{document}/versions")
    assert [(v["number"], v["state"]) for v in versions] == [(1, "live")]
    assert len(running.client.documents(base)) == 1
    kept, held = running.rows_and_records(base)
    assert kept == held
    assert len(kept) == 1
