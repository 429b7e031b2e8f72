"""The two commands' first one, for real: start, ready, crash, stop, start again."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS = (
    "database", "migrations", "redis", "store", "embedder", "reranker", "reading", "models", "training", "worker",
)  # fmt: skip
pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


def family(app: Any) -> list[psutil.Process]:
    return psutil.Process(app.process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def worker_of(app: Any) -> psutil.Process | None:
    for child in psutil.Process(app.process.pid).children():
        try:
            if {"celery", "worker"} <= set(child.cmdline()) and "trainer@%h" not in child.cmdline():
                return child
        except psutil.Error:
            continue
    return None


def test_says_when_it_is_ready_and_where_the_credentials_are(live_app: Any) -> None:
    lines = [line for line in live_app.console.splitlines() if "is ready at" in line]
    assert len(lines) == 1
    assert live_app.url in lines[0]
    assert str(live_app.data_dir / "first-run.json") in lines[0]
    assert stat.S_IMODE((live_app.data_dir / "first-run.json").stat().st_mode) == 0o600


def test_credentials_are_printed_once_and_open_the_api(live_app: Any) -> None:
    assert live_app.console.count(live_app.first_run["password"]) == 1
    status, body = live_app.call("GET", "/me")
    assert status == 200, body
    assert live_app.call("GET", "/me", key="wrong")[0] == 401


def test_every_part_reports_itself(live_app: Any) -> None:
    status, body = live_app.call("GET", "/readyz")
    assert status == 200
    assert set(body["parts"]) == {*PARTS, "queues"}
    assert body["parts"]["redis"]["version"]


def test_each_web_process_tells_the_searches_of_all(live_app: Any) -> None:
    status, body = live_app.call("POST", "/search", {"query": "How is it started?"})
    assert status == 200, body
    told = set()
    for _ in range(12):  # connections go to one process or the other
        with urllib.request.urlopen(f"{live_app.url}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        told.add(next(line for line in lines if line.startswith('footnote_retrieval_seconds_count{stage="total"}')))
    assert len(told) == 1, told


def test_second_supervisor_over_the_folder_is_refused_in_one_sentence(live_app: Any, live_app_factory: Any) -> None:
    other = live_app_factory(data_dir=live_app.data_dir, start=False)
    done = serve(other.data_dir, other.port)
    assert done.returncode == 1
    assert "already runs over" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_taken_port_is_refused_in_one_sentence(live_app: Any, tmp_path: Path) -> None:
    done = serve(tmp_path, live_app.port)
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{live_app.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_every_part(live_app: Any) -> None:
    done = manage(live_app, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything works." in done.stdout
    for part in PARTS:
        assert f"{part} " in done.stdout


def test_broken_start_leaves_nothing_behind(tmp_path: Path, live_app_factory: Any) -> None:
    """Weights that are not there: the product must say so, not hang, and end its children when told to."""
    app = live_app_factory(data_dir=tmp_path, start=False, EMBED_WEIGHTS_DIR=str(tmp_path / "nowhere"))
    app.data_dir.mkdir(exist_ok=True)
    app.start(limit=60, until="Not ready yet. embedder: ")
    assert app.call("GET", "/readyz", key="none")[0] == 503
    app.stop()
    assert not (tmp_path / "redis" / "redis.sock").exists()


def test_killed_worker_comes_back_and_a_signal_ends_everything(live_app_factory: Callable[..., Any]) -> None:
    app = live_app_factory()
    victim = worker_of(app)
    assert victim is not None
    pool = victim.children(recursive=True)
    victim.kill()
    deadline = time.monotonic() + 30
    while "worker ended (signal 9); starting it again in 1 s" not in app.console or worker_of(app) in (None, victim):
        assert time.monotonic() < deadline, app.console
        time.sleep(0.2)
    assert alive(pool) == []

    everyone = family(app)
    assert len(everyone) >= 6
    seconds = app.stop(signal.SIGINT)
    assert alive(everyone) == []
    assert seconds < 12
    assert app.console.rstrip().endswith("Stopped.")

    first = app.first_run
    again = live_app_factory(data_dir=app.data_dir, port=app.port)
    assert again.first_run == first
    assert again.call("GET", "/me")[0] == 200
    everyone = family(again)
    again.process.kill()
    again.process.wait()
    psutil.wait_procs(everyone, timeout=15)
    assert alive(everyone) == [], "they outlived a supervisor that was killed"


def test_doctor_of_a_stopped_product_says_what_is_wrong(tmp_path: Path, live_app_factory: Any) -> None:
    done = manage(live_app_factory(data_dir=tmp_path, start=False), "doctor")
    assert done.returncode == 1
    assert "DOES NOT WORK" in done.stdout
    assert "run `manage.py migrate`" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def serve(data_dir: Path, port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATA_DIR": str(data_dir), "PORT": str(port)}
    return subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def manage(app: Any, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATA_DIR": str(app.data_dir), "PORT": str(app.port)}
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
