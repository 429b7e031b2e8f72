"""Processes are killed in the middle of their work: nothing is lost, nothing is there twice, readers get words."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from amount import STORES
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from chatapp.operations.bench import corpus
from chatapp.operations.bench.client import sign_in, socket_headers, socket_url

pytestmark = [pytest.mark.timeout(900)]

DOCUMENTS = 50


@pytest.fixture(scope="module")
def abandoned(product: Any) -> dict[str, Any]:
    """A run whose web process was killed while it answered, the events its reader had got, and its headers."""
    words = [f"word{n} " for n in range(2000)]
    product.model.script(words, model="scripted-cite", delay_ms=50)
    first = product.app.first_run
    headers = socket_headers(
        url=product.app.url, cookie=sign_in(url=product.app.url, email=first["email"], password=first["password"])
    )
    events: list[dict[str, Any]] = []
    with connect(socket_url(product.app.url), additional_headers=headers, proxy=None) as socket:
        socket.send(json.dumps({"v": 1, "type": "ask", "text": "How does one search?", "client_id": product.store}))
        while sum(event["type"] == "answer.delta" for event in events) < 3:
            events.append(json.loads(socket.recv(timeout=60)))
        port = socket.socket.getsockname()[1]
        serving = [p for p in product.leader("web").children() if _talks_to(p, port)]
        assert len(serving) == 1
        os.kill(serving[0].pid, signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            while True:
                events.append(json.loads(socket.recv(timeout=20)))
    product.model.reset()
    return {"events": events, "headers": headers, "killed": serving[0].pid}


def _talks_to(process: psutil.Process, port: int) -> bool:
    return any(c.raddr and c.raddr.port == port for c in process.net_connections(kind="tcp"))


@pytest.mark.parametrize("product", STORES, indirect=True)
def test_a_killed_worker_loses_and_doubles_no_document(
    product: Any, abandoned: Any, eventually: Callable[..., Any]
) -> None:
    base = product.client.knowledge_base("crash")
    sent = [product.client.upload(base, file)["id"] for file in corpus.documents(DOCUMENTS)]
    ready = lambda: [r for r in product.client.documents(base).values() if r["status"] == "ready"]  # noqa: E731
    before = eventually(ready, within=120, what="the first document is ready")
    leader = product.leader("worker")
    os.killpg(leader.pid, signal.SIGKILL)
    assert len(before) < DOCUMENTS, "the worker had finished before it was killed"
    rows = product.client.wait(base, sent, limit=300)
    assert {row["status"] for row in rows.values()} == {"ready"}
    assert {row["chunks"] for row in rows.values()} == {corpus.SECTIONS}
    assert product.leader("worker").pid != leader.pid
    rows_held, records_held = product.rows_and_records(base)
    assert len(records_held) == DOCUMENTS * corpus.SECTIONS
    assert records_held == rows_held  # with their doubles, were there any
    assert len(set(rows_held)) == len(rows_held)
    reconciled = product.manage("reconcile")
    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
    for number in (3, 120, 249):
        found = product.client.search(corpus.fact(number).question, [base], limit=5)["passages"]
        assert corpus.fact(number).answer in found[0]["text"]
        assert len({p["id"] for p in found}) == len({(p["document"], p["start"]) for p in found}) == len(found)


@pytest.mark.parametrize("product", STORES, indirect=True)
def test_a_killed_web_process_is_replaced_and_answers_go_on(product: Any, abandoned: Any) -> None:
    web = product.leader("web")
    assert abandoned["killed"] not in {p.pid for p in web.children()}
    answer = product.client.ask(corpus.fact(1).question)
    assert answer["choices"][0]["message"]["content"]
    assert product.app.call("GET", "/readyz")[0] == 200


@pytest.mark.parametrize("product", ["lance"], indirect=True)  # it waits for the sweep, which knows no store
def test_the_run_of_a_killed_web_process_ends_in_words(
    product: Any, abandoned: Any, eventually: Callable[..., Any]
) -> None:
    events = abandoned["events"]
    run = events[0]["run"]
    trace = lambda: product.client.call("GET", f"/runs/{run}")  # noqa: E731
    eventually(lambda: trace()["status"] == "failed", within=120, what="the sweep ends the run")
    ended = trace()
    assert ended["error"]["code"] == "interrupted"
    assert "interrupted" in ended["error"]["message"]
    assert ended["answer"].startswith("word0 word1")  # what the reader saw stays
    last = max(event["seq"] for event in events)
    later: list[dict[str, Any]] = []
    with connect(socket_url(product.app.url), additional_headers=abandoned["headers"], proxy=None) as socket:
        socket.send(json.dumps({"v": 1, "type": "resume", "run": run, "seq": last}))
        while not later or later[-1]["type"] not in ("run.error", "answer.done", "error"):
            later.append(json.loads(socket.recv(timeout=30)))
    assert later[-1]["type"] == "run.error"
    assert [event["seq"] for event in later] == list(range(last + 1, last + 1 + len(later)))
