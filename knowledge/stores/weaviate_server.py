"""Run a Weaviate server of our own on the loopback address."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from knowledge.errors import StoreUnavailable

__all__ = ["WeaviateServer"]

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1


class WeaviateServer:
    """A child process ``weaviate-server`` with its data below ``data_path``. Also a context manager."""

    def __init__(
        self, binary: Path, data_path: Path, port: int | None = None, grpc_port: int | None = None,
        *, log_path: Path | None = None, tied: bool = False,
    ) -> None:  # fmt: skip
        """Choose ports where none are given; start nothing yet. ``tied``: it ends when we are killed (Linux)."""
        self._binary = Path(binary)
        self._data_path = Path(data_path)
        self._log_path = log_path or self._data_path / "server.log"
        free = _free_ports(6)
        self.port = port or free[0]
        self.grpc_port = grpc_port or free[1]
        self._inner_ports = free[2:]
        self._tied = tied
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout: float = 60.0) -> None:
        """Start the server and wait until it is ready (seconds).

        :raises StoreUnavailable: it ended, or was not ready in time; it is stopped then.
        """
        if self.running:
            return
        self._data_path.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a path from our own settings
                self.command(), env=self.environment(), cwd=self._data_path, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_end_with_parent if self._tied else None,  # noqa: PLW1509 - one call of the kernel, no lock
            )  # fmt: skip
        try:
            self._wait_ready(time.monotonic() + timeout)
        except StoreUnavailable:
            self.stop()
            raise
        logger.info("weaviate server ready: pid=%s port=%s grpc_port=%s", self.pid, self.port, self.grpc_port)

    def stop(self, *, timeout: float = 20.0) -> None:
        """Ask the server to end, and end it after ``timeout`` seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            logger.warning("weaviate server did not stop in time: pid=%s", process.pid)
            process.kill()
            process.wait()

    def command(self) -> list[str]:
        return [str(self._binary), "--host", HOST, "--port", str(self.port), "--scheme", "http"]

    def environment(self) -> dict[str, str]:
        """Return the server's whole environment: its own settings, none of our secrets."""
        gossip, data, raft, raft_rpc = (str(port) for port in self._inner_ports)
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "PERSISTENCE_DATA_PATH": str(self._data_path),
            "GRPC_PORT": str(self.grpc_port),
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_ADVERTISE_ADDR": HOST,
            "CLUSTER_BIND_ADDR": HOST,
            "CLUSTER_GOSSIP_BIND_PORT": gossip,
            "CLUSTER_DATA_BIND_PORT": data,
            "RAFT_PORT": raft,
            "RAFT_INTERNAL_RPC_PORT": raft_rpc,
            "RAFT_BOOTSTRAP_EXPECT": "1",
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
            "DISABLE_TELEMETRY": "true",
            "LOG_LEVEL": "warning",
        }

    def _wait_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if not self.running:
                raise StoreUnavailable("The Weaviate server ended while it was starting; see its log.")
            try:
                with urllib.request.urlopen(f"{self.url}/v1/.well-known/ready", timeout=2) as reply:  # noqa: S310 - our own address
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.1)
        raise StoreUnavailable("The Weaviate server was not ready in time; see its log.")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end_with_parent() -> None:
    """Ask the kernel to end this process with its parent."""
    with suppress(OSError, AttributeError):  # no such library or call: then it has to be ended by hand
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_ports(count: int) -> list[int]:
    """Return distinct ports free at the moment. Held together, so that none is given twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind((HOST, 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()
