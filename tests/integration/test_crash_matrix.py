"""Every failpoint x kill -9, exception, hang, on the whole product: afterwards the invariants hold.

A few of them run always; all of them, on both stores, with ``TESTS=full`` (about a quarter of an hour).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from amount import STORES, of
from invariants import NAMES
from running import ROOT, Running

from chatapp.operations.bench.client import Unexpected, Upload
from knowledge.documents.failpoints import FAULTS, POINTS
from knowledge.stores.weaviate_binary import find_server

pytestmark = [pytest.mark.timeout(1800)]

WEB = ("file_saved", "row_written", "before_enqueue")
DELETE = "between_delete_in_database_and_index"
SMOKE = [("before_enqueue", "kill9"), ("after_vector_write", "kill9"), ("after_switch", "exception"), (DELETE, "kill9")]
CELLS = of(SMOKE, [(point, fault) for point in POINTS for fault in FAULTS])
SECTIONS = 70  # more than a batch, so that there is a middle
RECOVERS_WITHIN = 90


def words(topic: str, sections: int) -> bytes:
    """Return a document of that many passages, which differ from those of every other topic."""
    rules = (f"## {topic} part {n}\n\nThe {topic} rule number {n} is explained here." for n in range(sections))
    return "\n\n".join(rules).encode()


@dataclass
class Matrix:
    """A product whose processes fail where they are told to, and what it acknowledged so far."""

    running: Running
    plan: Path
    base: str = ""
    uploads: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    table: dict[tuple[str, str], str] = field(default_factory=dict)

    def arm(self, point: str, fault: str) -> None:
        self.counter(point).unlink(missing_ok=True)
        self.plan.write_text(f"{point}:{fault}")

    def counter(self, point: str) -> Path:
        return self.running.folder / "failpoints" / point

    def note_processes(self) -> None:
        leader = psutil.Process(self.running.app.process.pid)
        self.pids |= {process.pid for process in leader.children(recursive=True)}

    def send(self, name: str, data: bytes) -> str:
        """Upload, and note what was acknowledged; return the document."""
        row = self.running.client.upload(self.base, Upload(name, data))
        self.uploads[str(row["id"])] = hashlib.sha256(data).hexdigest()
        return str(row["id"])

    def ready(self, document: str) -> dict[str, Any]:
        row = self.running.client.wait(self.base, {document}, limit=RECOVERS_WITHIN)[document]
        assert (row["status"], row["error"]) == ("ready", None), row
        return row

    def violations(self) -> dict[str, list[str]]:
        given = {"uploads": self.uploads, "deleted": self.deleted, "pids": sorted(self.pids)}
        environment = {**self.running.leader("worker").environ(), "PYTHONPATH": str(ROOT), "FAIL_AT": ""}
        done = subprocess.run(
            [sys.executable, ROOT / "tests/support/invariants.py"], input=json.dumps(given), env=environment,
            cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
        assert found.keys() == NAMES.keys()
        return {name: wrong for name, wrong in found.items() if wrong}


@pytest.fixture(scope="module", params=STORES)
def matrix(
    request: pytest.FixtureRequest, start_product: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory,
    missing_part: Callable[[str, str], NoReturn],
) -> Iterator[Matrix]:  # fmt: skip
    plan = tmp_path_factory.mktemp("plan") / "fail-at"
    settings = {
        "STORE": request.param, "FOOTNOTE_TESTING": "1", "FAIL_AT": f"@{plan}", "LEASE_SECONDS": "8",
        "JOB_STALL_SECONDS": "15", "SWEEP_SECONDS": "2", "WEB_WORKERS": "1",
    }  # fmt: skip
    if request.param == "weaviate":
        binary = find_server(os.environ.get("WEAVIATE_SERVER_BIN", ""))
        if binary is None:
            missing_part("The Weaviate server", "make server-for-tests")
        settings["WEAVIATE_SERVER_BIN"] = str(binary)
    running = start_product(**settings)
    made = Matrix(running, plan)
    demo = running.app.first_run["knowledge_base"]
    for document in running.client.documents(demo):  # its documents would be read beside the faults
        running.client.call("POST", f"/documents/{document}/cancel")
    made.base = running.client.knowledge_base("matrix")
    yield made
    running.app.stop()
    import shutil

    shutil.rmtree("/tmp/s7job-logs", ignore_errors=True)
    shutil.copytree(running.folder / "logs", "/tmp/s7job-logs")
    print(f"\n{'failpoint':<38} {'fault':<10} {request.param}")
    for (point, fault), outcome in made.table.items():
        print(f"{point:<38} {fault:<10} {outcome}")


@pytest.mark.parametrize(("point", "fault"), CELLS)
def test_invariants_hold_after_a_fault(
    matrix: Matrix, point: str, fault: str, eventually: Callable[..., Any]
) -> None:  # fmt: skip
    act = _upload if point in WEB else _delete if point == DELETE else _replace
    matrix.table[point, fault] = "FAILED"
    before = time.monotonic()
    act(matrix, point, fault, eventually)
    assert matrix.counter(point).stat().st_size >= 1, "the fault was not reached, so nothing was shown"
    matrix.plan.write_text("")
    wrong = matrix.violations()
    deadline = time.monotonic() + RECOVERS_WITHIN
    while wrong and time.monotonic() < deadline:  # a purge or the end of a killed child may still be under way
        time.sleep(1)
        wrong = matrix.violations()
    assert wrong == {}
    matrix.table[point, fault] = f"holds, {time.monotonic() - before:.0f} s"


def test_a_file_that_ends_its_worker_three_times_fails_and_says_why(matrix: Matrix) -> None:
    matrix.counter("after_parse").unlink(missing_ok=True)
    matrix.plan.write_text(",".join(f"after_parse:kill9:{nth}" for nth in (1, 2, 3)))
    document = matrix.send("poison.md", words("poison", 3))
    row = matrix.running.client.wait(matrix.base, {document}, limit=3 * RECOVERS_WITHIN)[document]
    assert (row["status"], row["attempts"], row["retry"]) == ("failed", 3, True)
    assert row["error"].startswith("The worker ended while reading this file (attempt 3 of 3). ")
    assert matrix.counter("after_parse").stat().st_size == 3
    matrix.plan.write_text("")
    matrix.running.client.call("POST", f"/documents/{document}/retry")
    matrix.ready(document)
    assert matrix.violations() == {}


def _upload(matrix: Matrix, point: str, fault: str, eventually: Callable[..., Any]) -> None:
    """The web process fails while it takes a file; whoever got no answer sends it again, and has one version of it."""
    name, data = f"{point}-{fault}.md", words(f"{point} {fault}", 3)
    matrix.note_processes()
    matrix.arm(point, fault)
    if fault == "hang":
        with pytest.raises((TimeoutError, urllib.error.URLError)):
            _send_shortly(matrix, name, data)
        eventually(lambda: matrix.counter(point).exists(), within=60, what="the fault is reached")
        matrix.plan.write_text("")
        os.killpg(matrix.running.leader("web").pid, signal.SIGKILL)  # as an operator would: a thread cannot be ended
    elif (point, fault) == ("before_enqueue", "exception"):
        matrix.send(name, data)  # it is stored: that nobody was told is no reason to refuse it
    else:
        with pytest.raises((Unexpected, HTTPException, OSError)):
            matrix.send(name, data)
    eventually(lambda: _serves(matrix), within=60, what="the web process is there again")
    document = matrix.send(name, data)
    row = matrix.ready(document)
    assert row["version"] == 1
    assert len([r for r in matrix.running.client.documents(matrix.base).values() if r["filename"] == name]) == 1


def _send_shortly(matrix: Matrix, name: str, data: bytes) -> None:
    client = matrix.running.client
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n' % name.encode()
    path = f"/knowledge-bases/{matrix.base}/documents"
    client.raw("POST", path, body + data + b"\r\n--b--\r\n", media_type="multipart/form-data; boundary=b", timeout=3)


def _serves(matrix: Matrix) -> bool:
    with suppress(OSError, HTTPException):
        return bool(matrix.running.app.call("GET", "/readyz")[0] == 200)
    return False


def _replace(matrix: Matrix, point: str, fault: str, eventually: Callable[..., Any]) -> None:
    """A worker fails over a second version: the first answers until the second one is whole."""
    name, topic = f"{point}-{fault}.md", f"{point} {fault}"
    document = matrix.send(name, words(f"first {topic}", 3))
    matrix.ready(document)
    matrix.note_processes()
    matrix.arm(point, fault)
    matrix.send(name, words(f"second {topic}", SECTIONS))
    eventually(lambda: matrix.counter(point).exists(), within=60, what="the fault is reached")
    eventually(lambda: _version(matrix, document) == 2, within=RECOVERS_WITHIN, what="the second version is live")
    row = matrix.ready(document)
    assert row["chunks"] == SECTIONS
    jobs = matrix.running.client.call("GET", f"/documents/{document}/versions")
    assert [(v["number"], v["state"]) for v in jobs] == [(2, "live"), (1, "archived")]


def _version(matrix: Matrix, document: str) -> int:
    row = matrix.running.client.call("GET", f"/documents/{document}")
    return int(row["version"]) if row["status"] == "ready" else 0


def _delete(matrix: Matrix, point: str, fault: str, eventually: Callable[..., Any]) -> None:
    """A worker fails in the middle of a deletion, which another one ends."""
    document = matrix.send(f"{point}-{fault}.md", words(f"{point} {fault}", 3))
    matrix.ready(document)
    matrix.note_processes()
    matrix.arm(point, fault)
    matrix.running.client.call("DELETE", f"/documents/{document}")
    matrix.uploads.pop(document)
    matrix.deleted.append(document)
    assert matrix.running.client.raw("GET", f"/documents/{document}")[0] == 404
    eventually(lambda: matrix.counter(point).exists(), within=60, what="the fault is reached")
    eventually(
        lambda: not (matrix.violations().keys() & {"I3", "I5"}), within=RECOVERS_WITHIN, what="the deletion has ended"
    )
