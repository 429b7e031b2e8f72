"""One process of our own server: its configuration, its start, its end."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from chatapp.finetuning import alone
from chatapp.finetuning.serving.client import Client
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.serving.naming import base_name

__all__ = ["Process", "folder_of", "log_of"]

PROGRAM = alone.program("chatapp.finetuning.serving.program")
GRACE_SECONDS = 5.0
LOG_BYTES = 1024 * 1024


def folder_of(server: ModelServer) -> Path:
    return Path(settings.DATA_DIR) / "model-servers" / str(server.pk)


def log_of(server: ModelServer, *, lines: int = 40) -> str:
    """Return the end of what its process wrote."""
    try:
        with (folder_of(server) / "log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


@dataclass(slots=True)
class Process:
    """A started server. It ends with this process: it holds the other end of its standard input."""

    popen: subprocess.Popen[bytes]
    folder: Path
    token: str = field(repr=False)
    started: float = field(default_factory=time.monotonic)
    _address: str = ""

    @classmethod
    def start(cls, server: ModelServer) -> Process:
        folder = folder_of(server)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "ready.json").unlink(missing_ok=True)
        token = secrets.token_urlsafe(32)
        _write_private(folder / "token", token)
        _write_private(folder / "config.json", json.dumps(_config(server, folder)))
        log = folder / "log"
        if log.is_file() and log.stat().st_size > LOG_BYTES:
            log.replace(folder / "log.1")
        with log.open("ab") as out:
            popen = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, *PROGRAM, str(folder / "config.json")],
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, cwd=settings.BASE_DIR, env=_environment(),
            )  # fmt: skip
        return cls(popen, folder, token)

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    @property
    def client(self) -> Client | None:
        """How to reach it; None while it loads."""
        if not self._address:
            try:
                told = json.loads((self.folder / "ready.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return None
            self._address = f"http://{settings.MODEL_SERVER_HOST}:{told['port']}"
        return Client(self._address, self.token)

    def stop(self) -> None:
        """End it: it is asked first, and has a few seconds."""
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        self.popen.terminate()
        try:
            self.popen.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def last_words(self) -> str:
        """Return why it ended, as far as it said."""
        try:
            lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        said = next((line for line in reversed(lines) if line.strip()), "")
        return said.removeprefix("ERROR ")[:300]


def _config(server: ModelServer, folder: Path) -> dict[str, Any]:
    base = server.base
    return {
        "name": base_name(base), "path": str(Path(settings.MODELS_DIR) / base.path), "files": dict(base.files),
        "folders": [str(settings.TRAINING_DIR)], "token": str(folder / "token"), "ready": str(folder / "ready.json"),
        "host": settings.MODEL_SERVER_HOST, "waiting": settings.MODEL_SERVER_WAITING,
        "threads": settings.MODEL_SERVER_THREADS,
    }  # fmt: skip


def _environment() -> Mapping[str, str]:
    """Nothing of the product's secrets: the server needs none of them."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
            "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE")  # fmt: skip
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(Path(settings.DATA_DIR) / "model-servers" / "cache"),
    }  # fmt: skip


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
