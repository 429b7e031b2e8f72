"""The main job on both stores: documents in, answers out, and every citation is the document's own words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from amount import STORES
from websockets.sync.client import connect

from chatapp.operations.bench.client import Upload, sign_in, socket_headers, socket_url

pytestmark = [pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def shelf(product: Any, samples: list[Any]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The samples in a base of their own, ready; its id, and the documents by file name."""
    base = product.client.knowledge_base("shelf")
    rows = product.client.ingest(base, [Upload(s.name, s.data) for s in samples], limit=240)
    return base, {sample.name: row for sample, row in zip(samples, rows, strict=True)}


def test_every_format_becomes_ready(shelf: Any) -> None:
    for name, row in shelf[1].items():
        assert (row["status"], row["error"]) == ("ready", None), name
        assert row["chunks"] >= 1
    assert shelf[1]["reading-room.pdf"]["pages"] == 2


def test_the_answer_cites_the_words_of_the_right_document(product: Any, shelf: Any, samples: list[Any]) -> None:
    base, documents = shelf
    for sample in samples:
        answer = product.client.ask(sample.question, [base])
        assert product.check_citations(answer) >= 1, sample.name
        first = answer["citations"][0]
        assert first["document"] == documents[sample.name]["id"], sample.name
        assert sample.answer in first["quote"], sample.name
        assert first["page"] == sample.page, sample.name


def test_citations_of_a_pdf_carry_boxes_on_their_page(product: Any, shelf: Any, samples: list[Any]) -> None:
    base, documents = shelf
    answer = product.client.ask(samples[0].question, [base])
    own = [c for c in answer["citations"] if c["document"] == documents["reading-room.pdf"]["id"]]
    assert own
    for page, x0, y0, x1, y1 in own[0]["boxes"]:
        assert page == 2
        assert x0 < x1
        assert y0 < y1
    assert own[0]["boxes"]


def test_the_trace_shows_labels_in_range(product: Any, shelf: Any, samples: list[Any]) -> None:
    run = product.client.call("GET", f"/runs/{product.client.ask(samples[3].question, [shelf[0]])['run']}")
    assert [p["label"] for p in run["passages"]] == [f"S{n}" for n in range(1, len(run["passages"]) + 1)]
    assert {c["passage"] for c in run["citations"]} <= {p["key"] for p in run["passages"]}
    assert run["status"] == "done"
    assert set(run["timings"]) >= {"retrieval", "first_token", "total"}


def test_a_follow_up_uses_the_conversation(product: Any, shelf: Any, samples: list[Any]) -> None:
    base, documents = shelf
    first = product.client.ask(samples[3].question, [base])
    second = product.client.ask("Until when may they be carried over?", [base], conversation=first["conversation"])
    assert second["conversation"] == first["conversation"]
    assert product.check_citations(second) >= 1
    assert any("31 March" in c["quote"] for c in second["citations"])
    assert second["query"] != "Until when may they be carried over?"  # the query as searched is shown


def test_the_socket_streams_what_the_api_returns(product: Any, shelf: Any, samples: list[Any]) -> None:
    first = product.app.first_run
    cookie = sign_in(url=product.app.url, email=first["email"], password=first["password"])
    events: list[dict[str, Any]] = []
    headers = socket_headers(url=product.app.url, cookie=cookie)
    with connect(socket_url(product.app.url), additional_headers=headers, proxy=None) as socket:
        ask = {"type": "ask", "text": samples[1].question, "knowledge_bases": [shelf[0]], "client_id": "a"}
        socket.send(json.dumps({"v": 1, **ask}))
        while not events or events[-1]["type"] not in ("answer.done", "run.error", "error"):
            events.append(json.loads(socket.recv(timeout=60)))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "run.started"
    assert events[-1]["type"] == "answer.done"
    kinds = {event["type"] for event in events}
    assert kinds >= {"retrieval.done", "answer.delta", "answer.citation", "sentence.checked"}
    run = product.client.call("GET", f"/runs/{events[0]['run']}")
    streamed = "".join(event["text"] for event in events if event["type"] == "answer.delta")
    assert "129 crowns" in streamed
    assert "[S" not in streamed
    assert {e["number"] for e in events if e["type"] == "answer.citation"} == {c["number"] for c in run["citations"]}


def test_a_question_scoped_to_one_base_finds_nothing_of_another(product: Any, shelf: Any) -> None:
    other = product.client.knowledge_base("other")
    product.client.ingest(other, [Upload("ferry.txt", b"The ferry leaves at 06:15 from pier 9.")], limit=120)
    for base, foreign in ((shelf[0], "06:15"), (other, "27 days")):
        found = product.client.search("ferry annual leave days", [base])["passages"]
        assert found
        assert not any(foreign in passage["text"] for passage in found)


def test_a_new_version_is_live_and_the_old_text_gone(product: Any, eventually: Callable[..., Any]) -> None:
    base = product.client.knowledge_base("tariff")
    text = "# Tariff\n\nThe harbour fee is {} crowns per day.\n"
    row = product.client.ingest(base, [Upload("tariff.md", text.format(314).encode())], limit=120)[0]
    product.client.add_version(row["id"], Upload("tariff.md", text.format(977).encode()))

    def switched() -> bool:
        found = " ".join(p["text"] for p in product.client.search("harbour fee per day", [base])["passages"])
        return "977" in found and "314" not in found

    eventually(switched, within=60, what="the new version is found and the old one is not")
    answer = product.client.ask("What is the harbour fee per day?", [base])
    assert product.check_citations(answer) == 1
    assert "977 crowns" in answer["citations"][0]["quote"]
    assert answer["citations"][0]["version"] == 2
    assert product.client.documents(base)[row["id"]]["status"] == "ready"


def test_no_byte_of_a_deleted_document_stays(product: Any, eventually: Callable[..., Any]) -> None:
    canary = f"zyxqv{product.store}canary"
    base = product.client.knowledge_base("secrets")
    kept, gone = product.client.ingest(
        base,
        [
            Upload("kept.md", b"# Kept\n\nThe lighthouse has 88 steps.\n"),
            Upload("secret.md", f"# Secret\n\nThe secret word of the lighthouse is {canary}.\n".encode()),
        ],
        limit=120,
    )
    assert (kept["status"], gone["status"]) == ("ready", "ready"), (kept, gone)
    assert any(canary in p["text"] for p in product.client.search("secret word of the lighthouse", [base])["passages"])
    assert holding(product.folder, canary), "the canary must be there before, or this test proves nothing"
    product.client.call("DELETE", f"/documents/{gone['id']}")

    def effective() -> bool:
        found = product.client.search("secret word of the lighthouse", [base])["passages"]
        return {p["document"] for p in found} == {kept["id"]}

    eventually(effective, within=30, what="the deletion is effective")
    assert product.client.raw("GET", f"/documents/{gone['id']}")[0] == 404
    eventually(lambda: not holding(product.folder, canary), within=60, what=f"no file below {product.folder} holds it")


def holding(folder: Path, words: str) -> list[str]:
    """The files below a folder that hold the words."""
    found = []
    for root, _folders, names in os.walk(folder):  # not ``rglob``: it fails on a folder that is removed meanwhile
        for name in names:
            path = Path(root, name)
            with suppress(OSError):  # an engine removed it meanwhile
                if path.is_file() and words.encode() in path.read_bytes():
                    found.append(str(path.relative_to(folder)))
    return found


@pytest.mark.parametrize("product", STORES, indirect=True)
def test_stop_leaves_no_process_and_a_start_without_a_model_answers_too(
    product: Any, shelf: Any, samples: list[Any], processes_of: Callable[[Path], list[str]]
) -> None:
    assert processes_of(product.folder), "they must be seen while it runs, or this test proves nothing"
    assert product.app.stop() < 20
    assert processes_of(product.folder) == []
    configured = dict(product.app.environment)
    product.restart(LLM_MODEL="", LLM_API_BASE="", LLM_API_KEY="")
    try:
        for sample in samples:
            answer = product.client.ask(sample.question, [shelf[0]])
            assert product.check_citations(answer) >= 1, sample.name
            assert any(sample.answer in c["quote"] for c in answer["citations"]), sample.name
        assert "No language model is set up" in answer["choices"][0]["message"]["content"]
    finally:
        product.restart(**configured)
