"""The main job over a Redis by URL, with a password that must be in no log; also after that Redis was away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from running import ROOT, Running
from servers import RedisByUrl
from websockets.sync.client import connect

from chatapp.operations.bench.client import Upload, sign_in, socket_headers, socket_url
from chatapp.operations.redis_server import RedisMissing, redis_binary

pytestmark = [pytest.mark.timeout(600)]


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


@pytest.fixture(scope="module")
def shelf(running: Running, samples: list[Any]) -> str:
    """The id of a base that holds the samples, all of them ready."""
    base = running.client.knowledge_base("shelf")
    rows = running.client.ingest(base, [Upload(s.name, s.data) for s in samples], limit=240)
    assert {row["status"] for row in rows} == {"ready"}
    return base


def test_no_redis_of_its_own_is_started(
    running: Running, redis_by_url: RedisByUrl, processes_of: Callable[[Path], list[str]]
) -> None:
    lines = processes_of(running.folder)
    assert any("celery" in line for line in lines), "they must be seen, or this test proves nothing"
    assert not [line for line in lines if "redis-server" in line]
    assert not (running.folder / "redis").exists()
    with redis_by_url.client() as client:
        assert client.exists("footnote:worker:alive")


def test_doctor_speaks_of_it(running: Running, redis_by_url: RedisByUrl) -> None:
    doctor = running.manage("doctor")
    assert doctor.returncode == 0, doctor.stdout
    line = next(line for line in doctor.stdout.splitlines() if line.split()[0] == "redis")
    with redis_by_url.client() as client:
        assert line.split() == ["redis", "works", client.info()["redis_version"]]
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert "noeviction" in running.manage("doctor").stdout
        client.config_set("maxmemory-policy", "noeviction")


def test_every_answer_cites_the_exact_words(running: Running, shelf: str, samples: list[Any]) -> None:
    for sample in samples:
        answer = running.client.ask(sample.question, [shelf])
        assert running.check_citations(answer) >= 1
        assert any(sample.answer in citation["quote"] for citation in answer["citations"])


def test_a_socket_gets_every_event_of_a_run_elsewhere(
    running: Running, redis_by_url: RedisByUrl, shelf: str, samples: list[Any]
) -> None:
    """The run is in the process that was asked by HTTP; a socket in any process reads its stream from Redis."""
    run = running.client.ask(samples[3].question, [shelf])["run"]
    with redis_by_url.client() as client:
        assert client.xlen(f"footnote:run:{run}") > 3
    first = running.app.first_run
    cookie = sign_in(url=running.app.url, email=first["email"], password=first["password"])
    headers = socket_headers(url=running.app.url, cookie=cookie)
    events: list[dict[str, Any]] = []
    with connect(socket_url(running.app.url), additional_headers=headers, proxy=None) as socket:
        socket.send(json.dumps({"v": 1, "type": "resume", "run": run, "seq": 0}))
        while not events or events[-1]["type"] not in ("answer.done", "run.error", "error"):
            events.append(json.loads(socket.recv(timeout=60)))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "answer.done"


def test_what_is_uploaded_while_it_is_away_becomes_ready(
    running: Running, redis_by_url: RedisByUrl, shelf: str, eventually: Callable[..., Any]
) -> None:
    redis_by_url.stop()
    waiting = running.client.upload(shelf, Upload("ferry.txt", b"The ferry leaves at 06:15 from pier 9."))
    assert waiting["status"] == "queued"
    answer = running.client.ask("When is the dishwasher started?", [shelf])
    assert running.check_citations(answer) >= 1
    redis_by_url.start()
    row = running.client.wait(shelf, {waiting["id"]}, limit=120)[waiting["id"]]
    assert row["status"] == "ready"
    eventually(lambda: running.app.call("GET", "/readyz")[0] == 200, within=60, what="all parts work again")


def test_the_password_is_in_no_log(running: Running, redis_by_url: RedisByUrl) -> None:
    said = running.logs()
    assert "Cannot connect to redis" in said, "what names the address must be there, or this test proves nothing"
    assert redis_by_url.password not in said


def test_a_wrong_password_refuses_the_start_in_one_sentence(redis_by_url: RedisByUrl, tmp_path: Path) -> None:
    wrong = redis_by_url.url.replace(redis_by_url.password, "not-the-password")
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "PORT": "0", "REDIS_URL": wrong, "FOOTNOTE_TESTING": "0"}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert done.stderr.startswith("CommandError: Redis does not answer; check REDIS_URL.")
    assert done.stderr.count("\n") == 1
    assert "not-the-password" not in done.stdout + done.stderr
