"""Starts a product of its own for a measurement, and the scripted language model beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chatapp.operations.bench.client import Client

ROOT = Path(__file__).resolve().parents[3]
SCRIPTED_MODEL = ROOT / "tests" / "support" / "scripted_model.py"
START_SECONDS = 300.0


class StartFailed(RuntimeError):
    """The product did not become ready; the message holds what it said last."""


@dataclass(slots=True)
class Product:
    """``manage.py serve`` as a child process over a folder of its own."""

    folder: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def first_run(self) -> dict[str, str]:
        """What ``first-run.json`` holds."""
        found: dict[str, str] = json.loads((self.folder / "first-run.json").read_text(encoding="utf-8"))
        return found

    def client(self) -> Client:
        """Return a client with the first key."""
        return Client(url=self.url, key=self.first_run["api_key"])

    def start(self) -> float:
        """Start it and return the seconds until it was ready.

        :raises StartFailed: it ended, or was not ready in time.
        """
        environment = {
            **os.environ, **self.environment, "DATA_DIR": str(self.folder), "PORT": str(self.port), "HOST": "127.0.0.1"
        }  # fmt: skip
        began = time.monotonic()
        with (self.folder / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                self.stop()
                raise StartFailed((self.folder / "console.log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> float:
        """Stop it and return the seconds that took."""
        process, self.process = self.process, None
        if process is None:
            return 0.0
        began = time.monotonic()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - began

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as reply:  # noqa: S310 - our own server
                return bool(reply.status == 200) and (self.folder / "first-run.json").exists()
        except OSError:
            return False


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder with a short path (a unix socket lies in it) that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fn-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scripted_model() -> Iterator[str]:
    """Run the scripted language model and yield its base address, ``/v1`` included.

    :raises StartFailed: it is not there, as in an installation without the tests.
    """
    if not SCRIPTED_MODEL.is_file():
        raise StartFailed("The bench needs a checkout: the scripted language model lies in tests/support.")
    command = [sys.executable, "-S", str(SCRIPTED_MODEL), "--port", "0", "--until-stdin-closes"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.communicate(timeout=10)  # closes its standard input, the sign to stop
