"""Real servers of a larger installation, each on loopback with a password and gone with its test."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chatapp.operations.processes import die_with_parent

START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``: the newest of Debian's, or the one on PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """A PostgreSQL over an empty folder. It refuses to run as root, so root starts it as somebody else."""

    def __init__(self, programs: Path) -> None:
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="footnote-pg-"))
        self._log = self._folder / "log"
        if self._user is not None:
            os.chown(self._folder, self._user, -1)

    @property
    def _as_somebody_else(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user, "group": self._user, "extra_groups": []}

    @property
    def url(self) -> str:
        return f"postgres://footnote:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder,
            "fsync": "off", "max_connections": 60,
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *arguments], stdout=log, stderr=log,
                cwd=self._folder, preexec_fn=die_with_parent(number=signal.SIGQUIT), **self._as_somebody_else,
            )  # fmt: skip
        _wait_for(self._answers, self._process, self._log)

    def stop(self) -> None:
        """Stop at once, as after a fast shutdown: open sessions are ended."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def connect(self, *, autocommit: bool = False) -> Any:
        import psycopg

        return psycopg.connect(self.url, autocommit=autocommit)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with self.connect(autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def __enter__(self) -> Self:
        password = self._folder / "password"
        password.write_text(self.password)
        initdb = [
            self._programs / "initdb", "-D", self._folder / "data", "-U", "footnote", "--pwfile", password, "-A",
            "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            made = subprocess.run(initdb, stdout=log, stderr=log, cwd=self._folder, **self._as_somebody_else)
        assert made.returncode == 0, self._log.read_text()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready).returncode == 0


class RedisByUrl:
    """A Redis on loopback TCP with a password, over an empty folder; set up as docs/settings.md asks."""

    def __init__(self, program: Path) -> None:
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="footnote-redis-"))

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/3"

    def start(self) -> None:
        options = {
            "port": self.port, "bind": "127.0.0.1", "requirepass": self.password, "dir": self._folder,
            "appendonly": "yes", "save": '""', "maxmemory-policy": "noeviction", "logfile": self._folder / "log",
        }  # fmt: skip
        settings = self._folder / "redis.conf"  # not in the command line, which everybody may read
        settings.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self._process = subprocess.Popen(
            [self._program, settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
        )
        _wait_for(self._answers, self._process, self._folder / "log")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(30)

    def lose_everything(self) -> None:
        """Kill it, remove what it kept, and start it again, as on a machine that lost its disk."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait(30)
        for path in self._folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start()

    def client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        from redis.exceptions import RedisError

        with self.client() as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False


def _unprivileged() -> int | None:
    """Return whom root starts PostgreSQL as; nobody else needs another user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return 65534


def _wait_for(answers: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The server did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
