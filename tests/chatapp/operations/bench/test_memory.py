from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from chatapp.operations.bench import memory


class FakeProcess:
    def __init__(self, line: str, parent: FakeProcess | None = None) -> None:
        self._line, self._parent = line, parent

    def cmdline(self) -> list[str]:
        return self._line.split()

    def parent(self) -> FakeProcess | None:
        return self._parent

    def name(self) -> str:
        return "python"


WEB = FakeProcess("python -m uvicorn chatapp.asgi:application --no-server-header")


@pytest.mark.parametrize(
    ("process", "role"),
    [
        (WEB, "web"),
        (FakeProcess("python -B -c from multiprocessing.spawn import spawn_main", WEB), "web"),
        (FakeProcess("python -m celery --app chatapp.celery worker -Q ingest"), "worker"),
        (FakeProcess("python -m celery --app chatapp.celery worker -Q training --hostname trainer@%h"), "trainer"),
        (FakeProcess("python -m celery --app chatapp.celery beat"), "beat"),
        (FakeProcess("python manage.py serve --timings"), "supervisor"),
        (FakeProcess("redis-server unixsocket:/x"), "redis"),
        (FakeProcess("python -m knowledge.parsing.child"), "parser"),
        (FakeProcess("something else"), "python"),
    ],
)
def test_processes_are_named_by_what_they_do(process: FakeProcess, role: str) -> None:
    assert memory.role_of(process) == role


def test_children_are_counted_and_shared_pages_only_by_their_share() -> None:
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        found = memory.memory_of(os.getpid())
        assert {os.getpid(), child.pid} <= {p.pid for p in found}
        assert all(0 < p.pss <= p.rss for p in found if p.pid == child.pid)
    assert psutil.Process().is_running()
