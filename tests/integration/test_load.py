"""Three hundred files and thirty-two questions at once, on nothing but the embedded defaults."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from running import logs_of

from chatapp.operations.bench import corpus
from chatapp.operations.bench.client import Client, Upload

pytestmark = [pytest.mark.timeout(900)]

FILES, UPLOADS_AT_ONCE = 300, 16
ASKED_AT_ONCE, ANSWERS = 32, 96
KNOWN = 10  # documents that are ready before the load begins


@pytest.fixture(scope="module")
def loaded(live_app: Any) -> dict[str, Any]:
    """The load itself: documents as they ended, and every answer."""
    client = Client(url=live_app.url, key=live_app.first_run["api_key"])
    base = client.knowledge_base("load")
    client.ingest(base, corpus.documents(KNOWN), limit=240)
    client.ask(corpus.fact(0).question, [base])
    files = [
        Upload(f"note-{n:03d}.txt", f"The tide bell of {corpus.station(512 + n)} weighs {3000 + n} pounds.\n".encode())
        for n in range(FILES)
    ]

    def ask(number: int) -> tuple[int, dict[str, Any]]:
        return number, client.ask(corpus.fact(number % (KNOWN * corpus.SECTIONS)).question, [base])

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as uploading, ThreadPoolExecutor(ASKED_AT_ONCE) as asking:
        accepted = uploading.map(lambda file: client.upload(base, file)["id"], files)
        answers = list(asking.map(ask, range(ANSWERS)))
        ids = list(accepted)
    rows = client.wait(base, ids, limit=400)
    return {"client": client, "base": base, "rows": rows, "answers": answers, "folder": live_app.data_dir}


def test_no_file_is_refused_or_stuck(loaded: dict[str, Any]) -> None:
    assert len(loaded["rows"]) == FILES
    assert {row["status"] for row in loaded["rows"].values()} == {"ready"}
    assert {row["chunks"] for row in loaded["rows"].values()} == {1}


def test_every_file_is_found_afterwards(loaded: dict[str, Any]) -> None:
    for number in (0, 150, 299):
        question = f"How many pounds does the tide bell of {corpus.station(512 + number)} weigh?"
        found = loaded["client"].search(question, [loaded["base"]], limit=5)["passages"]
        assert any(f"weighs {3000 + number} pounds" in passage["text"] for passage in found)


def test_no_question_is_refused_and_the_answers_are_right(loaded: dict[str, Any]) -> None:
    assert len(loaded["answers"]) == ANSWERS
    right = [
        corpus.fact(number % (KNOWN * corpus.SECTIONS)).answer in answer["choices"][0]["message"]["content"]
        for number, answer in loaded["answers"]
    ]
    assert sum(right) >= 0.95 * ANSWERS  # without a language model the nearest sentences are quoted


def test_every_citation_is_exact(loaded: dict[str, Any]) -> None:
    texts: dict[tuple[str, int], str] = {}
    cited = 0
    for _, answer in loaded["answers"]:
        for c in answer["citations"]:
            key = (c["document"], c["version"])
            if key not in texts:
                texts[key] = loaded["client"].text(*key)
            assert texts[key][c["start"] : c["end"]] == c["quote"]
            cited += 1
    assert cited >= ANSWERS


def test_the_database_was_never_locked(loaded: dict[str, Any]) -> None:
    said = logs_of(loaded["folder"])
    assert "INFO" in said, "the logs must be there, or this test proves nothing"
    assert "database is locked" not in said
    assert "Traceback" not in said
