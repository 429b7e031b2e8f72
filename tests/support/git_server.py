"""A repository made by the real git, and the same served over real HTTP by its own backend."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from local_site import Answer, Asked, Site, local_site

IDENTITY = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class WorkingTree:
    """A repository with its files; ``write`` and ``commit`` change it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        env = {**os.environ, **IDENTITY}
        return subprocess.run(
            ["git", "-C", self.path, *arguments], env=env, check=True, capture_output=True, text=True
        ).stdout

    def commit(self, files: dict[str, str | bytes | None]) -> None:
        for name, content in files.items():
            target = self.path / name
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")


def has_backend() -> bool:
    return bool(shutil.which("git")) and _backend().exists()


def _backend() -> Path:
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    return Path(folder) / "git-http-backend"


@contextlib.contextmanager
def git_server(root: Path, *, token: str = "") -> Iterator[Site]:
    """Serve the repositories below a folder; with a token, to those who send it."""
    backend = _backend()

    def answer(asked: Asked) -> Answer:
        given = asked.headers.get("authorization", "").partition(" ")[2]
        if token and base64.b64decode(given).decode().partition(":")[2] != token:
            return Answer("sign in", 401, {"WWW-Authenticate": 'Basic realm="git"'})
        path, _, query = asked.path.partition("?")
        env = {
            **os.environ, **IDENTITY, "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": asked.method, "CONTENT_LENGTH": str(len(asked.body)),
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
        }  # fmt: skip
        done = subprocess.run([backend], env=env, input=asked.body, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        return Answer(body, status, headers)

    with local_site() as site:
        site.fallback = answer
        yield site
