"""The main job on a real PostgreSQL, with what only it does: sessions that break, limits, texts it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from amount import FULL
from running import ROOT, Running
from servers import Postgres, postgres_programs

from chatapp.operations.bench import corpus, switching
from chatapp.operations.bench.client import Upload

pytestmark = [pytest.mark.timeout(600)]

DOCUMENTS = 30
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def sessions(postgres: Postgres) -> int:
    return int(str(postgres.query(SESSIONS)[0][0]))


@pytest.fixture(scope="module")
def postgres(missing_part: Callable[[str, str], NoReturn]) -> Iterator[Postgres]:
    programs = postgres_programs()
    if programs is None:
        missing_part("PostgreSQL", "apt-get install postgresql")
    with Postgres(programs) as server:
        yield server


@pytest.fixture(scope="module")
def running(postgres: Postgres, start_product: Callable[..., Running]) -> Iterator[Running]:
    product = start_product(DATABASE_URL=postgres.url)
    yield product
    product.app.stop()


@pytest.fixture(scope="module")
def shelf(running: Running, samples: list[Any]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The samples in a base of their own; its id, and the documents by file name."""
    base = running.client.knowledge_base("shelf")
    rows = running.client.ingest(base, [Upload(s.name, s.data) for s in samples], limit=240)
    return base, {sample.name: row for sample, row in zip(samples, rows, strict=True)}


def test_everything_is_in_postgres(running: Running, postgres: Postgres) -> None:
    doctor = running.manage("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "PostgreSQL" in doctor.stdout
    assert not list(running.folder.glob("*.sqlite3*"))
    assert postgres.query("SELECT count(*) FROM documents_document") != [(0,)]


def test_every_answer_cites_the_exact_words(running: Running, shelf: Any, samples: list[Any]) -> None:
    base, documents = shelf
    for sample in samples:
        row = documents[sample.name]
        assert (row["status"], row["error"]) == ("ready", None), sample.name
        answer = running.client.ask(sample.question, [base])
        assert running.check_citations(answer) >= 1, sample.name
        first = answer["citations"][0]
        assert (first["document"], first["page"]) == (row["id"], sample.page)
        assert sample.answer in first["quote"]


def test_a_new_version_is_live_and_the_old_text_gone(running: Running, eventually: Callable[..., Any]) -> None:
    base = running.client.knowledge_base("tariff")
    text = "# Tariff\n\nThe harbour fee is {} crowns per day.\n"
    row = running.client.ingest(base, [Upload("tariff.md", text.format(314).encode())], limit=120)[0]
    running.client.add_version(row["id"], Upload("tariff.md", text.format(977).encode()))

    def switched() -> bool:
        found = " ".join(p["text"] for p in running.client.search("harbour fee per day", [base])["passages"])
        return "977" in found and "314" not in found

    eventually(switched, within=60, what="the new version is found and the old one is not")
    answer = running.client.ask("What is the harbour fee per day?", [base])
    assert running.check_citations(answer) == 1
    assert answer["citations"][0]["version"] == 2


def test_a_deleted_document_leaves_no_row(running: Running, postgres: Postgres, eventually: Callable[..., Any]) -> None:
    base = running.client.knowledge_base("secrets")
    kept, gone = running.client.ingest(
        base,
        [
            Upload("kept.md", b"# Kept\n\nThe lighthouse has 88 steps.\n"),
            Upload("secret.md", b"# Secret\n\nThe secret word of the lighthouse is zyxqv.\n"),
        ],
        limit=120,
    )
    assert (kept["status"], gone["status"]) == ("ready", "ready"), (kept, gone)
    rows = f"SELECT count(*) FROM documents_document WHERE id = '{gone['id']}'"
    assert postgres.query(rows) == [(1,)]
    running.client.call("DELETE", f"/documents/{gone['id']}")
    assert running.client.raw("GET", f"/documents/{gone['id']}")[0] == 404
    eventually(lambda: postgres.query(rows) == [(0,)], within=60, what="its row is gone")
    rows_held, records_held = running.rows_and_records(base)
    assert rows_held == records_held
    found = running.client.search("secret word of the lighthouse", [base])
    assert {p["document"] for p in found["passages"]} == {kept["id"]}, found


def test_two_first_documents_at_once_make_one_generation(
    running: Running, postgres: Postgres, eventually: Callable[..., Any]
) -> None:
    """Both wait for the lock on their base, which is held here until they do."""
    base = running.client.knowledge_base("twins")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%knowledgebase%'"
    with postgres.connect() as session:
        session.execute(f"SELECT 1 FROM documents_knowledgebase WHERE id = '{base}' FOR NO KEY UPDATE")
        sent = [running.client.upload(base, file)["id"] for file in corpus.documents(2)]
        eventually(lambda: postgres.query(waiting) == [(2,)], within=60, what="both documents wait")
        session.rollback()
    rows = running.client.wait(base, sent, limit=60)
    assert {row["status"] for row in rows.values()} == {"ready"}
    made = postgres.query(f"SELECT count(*) FROM documents_indexgeneration WHERE knowledge_base_id = '{base}'")
    assert made == [(1,)]
    assert running.manage("reconcile").returncode == 0


@pytest.mark.skipif(not FULL, reason="half a minute; test_currency.py does it on SQLite: TESTS=full")
def test_another_index_is_built_used_and_left_under_questions(running: Running) -> None:
    found = switching.measure(running.client, documents=6, chunker="structural:max_tokens=240", say=lambda _: None)
    assert (found.wrong, found.empty, found.failed) == (0, 0, 0), found
    assert found.questions >= 2 * switching.AFTER
    assert max(found.switch_seconds, found.back_seconds) < 5, found
    assert running.manage("reconcile").returncode == 0


def test_texts_that_postgres_cannot_hold_are_no_failure(running: Running, shelf: Any) -> None:
    base = shelf[0]
    for path in (f"/knowledge-bases/{urllib.parse.quote(chr(0))}", "/documents/%00", "/runs/%00"):
        assert running.client.raw("GET", path)[0] == 404, path
    named = running.client.call("POST", "/knowledge-bases", {"name": "a\0b\ud800", "description": "\0"})
    assert named["name"] == "a?b?"
    assert running.client.search("dishwasher\0", [base])["passages"]
    history = [{"role": "user", "content": "a\0"}, {"role": "assistant", "content": "b\0\udc00"}]
    assert running.client.ask("When is the dishwasher \0 started?", [base], earlier=history)["citations"]
    boundary = "odd"
    fields = {"title": "a\0b", "source_uri": "c\0", "metadata": json.dumps({"k\0": ["v\0"]})}
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nA\0 heron.\r\n'
    media_type = f"multipart/form-data; boundary={boundary}"
    data = f"{body}--{boundary}--\r\n".encode()
    row = running.client.call("POST", f"/knowledge-bases/{named['id']}/documents", data, media_type=media_type)
    assert running.client.wait(named["id"], {row["id"]}, limit=60)[row["id"]]["status"] == "ready"


def test_a_model_that_writes_such_texts_is_no_failure(running: Running, shelf: Any) -> None:
    running.model.script(["It starts\0 at 17:25 [S1]", ". Half \ud83d", "\ude00 a pair."], model="scripted-cite")
    answer = running.client.ask("When is the dishwasher started?", [shelf[0]])
    assert running.check_citations(answer) == 1
    run = running.client.call("GET", f"/runs/{answer['run']}")
    assert run["status"] == "done"


def test_many_at_once_leave_few_sessions(
    running: Running, postgres: Postgres, shelf: Any, samples: list[Any], eventually: Callable[..., Any]
) -> None:
    """The server takes 60 sessions. Threads of requests that are over must not keep theirs."""
    questions = [samples[n % len(samples)].question for n in range(96)]
    most = 0
    with ThreadPoolExecutor(32) as threads:
        asked = [threads.submit(running.client.ask, question, [shelf[0]]) for question in questions]
        while not all(answer.done() for answer in asked):
            most = max(most, sessions(postgres))
            time.sleep(0.2)
    assert all(running.check_citations(answer.result()) for answer in asked)
    assert 0 < most <= 40
    eventually(lambda: sessions(postgres) <= 30, within=20, what="few sessions are left")


def test_a_killed_worker_loses_and_doubles_no_document(running: Running, eventually: Callable[..., Any]) -> None:
    base = running.client.knowledge_base("crash")
    sent = [running.client.upload(base, file)["id"] for file in corpus.documents(DOCUMENTS)]
    ready = lambda: [r for r in running.client.documents(base).values() if r["status"] == "ready"]  # noqa: E731
    before = eventually(ready, within=120, what="the first document is ready")
    os.killpg(running.leader("worker").pid, signal.SIGKILL)
    assert len(before) < DOCUMENTS, "the worker had finished before it was killed"
    rows = running.client.wait(base, sent, limit=300)
    assert {row["status"] for row in rows.values()} == {"ready"}
    rows_held, records_held = running.rows_and_records(base)
    assert len(records_held) == DOCUMENTS * corpus.SECTIONS
    assert records_held == rows_held  # with their doubles, were there any
    assert len(set(rows_held)) == len(rows_held)
    reconciled = running.manage("reconcile")
    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr


def test_a_database_that_was_away_is_used_again(
    running: Running, postgres: Postgres, shelf: Any, samples: list[Any], eventually: Callable[..., Any]
) -> None:
    postgres.stop()
    status, body = running.app.call("GET", "/readyz")
    assert (status, body["parts"]["database"]["ok"]) == (503, False)
    postgres.start()
    eventually(lambda: running.app.call("GET", "/readyz")[0] == 200, within=60, what="all parts work again")
    with ThreadPoolExecutor(8) as threads:  # every thread that held a session finds that it broke
        answers = list(threads.map(lambda s: running.client.ask(s.question, [shelf[0]]), samples * 4))
    assert all(running.check_citations(answer) for answer in answers)
    row = running.client.ingest(shelf[0], [Upload("later.txt", b"The ferry leaves at 06:15.")], limit=120)[0]
    assert row["status"] == "ready"


def test_the_chain_of_answers_is_whole_after_all_of_this(running: Running) -> None:
    """Many answers ended at once above: each entry is over the one before it all the same."""
    checked = running.manage("audit")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "the chain is whole" in checked.stdout


def test_the_password_is_in_no_log(running: Running, postgres: Postgres) -> None:
    said = running.logs()
    assert "INFO" in said, "the logs must be there, or this test proves nothing"
    assert postgres.password not in said


def test_a_wrong_password_refuses_the_start_in_one_sentence(postgres: Postgres, tmp_path: Path) -> None:
    wrong = postgres.url.replace(postgres.password, "not-the-password")
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "PORT": "0", "DATABASE_URL": wrong, "FOOTNOTE_TESTING": "0"}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert done.stderr.startswith("CommandError: The database does not answer; check DATABASE_URL.")
    assert done.stderr.count("\n") == 1
    assert "not-the-password" not in done.stdout + done.stderr
