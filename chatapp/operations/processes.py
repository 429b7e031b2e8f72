"""Child processes that end with their parent, and whose output goes to a log."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

import psutil

LOG_BYTES = 10 * 1024 * 1024
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SUPERVISED = "FOOTNOTE_SUPERVISED"
LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
if _libc is not None:
    _libc.prctl  # noqa: B018  resolved here: a forked child must not load anything


def die_with_parent(*, number: int = signal.SIGTERM, niceness: int = 0) -> Callable[[], None]:
    """Return a ``preexec_fn`` after which the kernel sends a signal to the child when its starter dies (Linux)."""
    parent = os.getpid()

    def prepare() -> None:
        if niceness:
            os.nice(niceness)
        if _libc is None:
            return
        _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return prepare


def tie_to_parent() -> None:
    """End this process with its parent: for those that a supervised program forks itself. Does nothing elsewhere.

    The kernel forgets the wish at each fork, so a program's own workers must repeat it.
    """
    if _libc is not None and os.environ.get(SUPERVISED):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none can slip away. Linux only."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans(known: set[int]) -> int:
    """Kill and reap adopted processes; return how many there were."""
    orphans = [child for child in psutil.Process().children() if child.pid not in known]
    for orphan in orphans:
        try:
            orphan.kill()
            os.waitpid(orphan.pid, 0)
        except (psutil.NoSuchProcess, ChildProcessError):
            continue
    return len(orphans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start, and how long it may take to end (seconds)."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    directory: Path
    grace: float = 7.0
    # What it gets when the supervisor itself is killed. Its engines are gone then too, and a program that waits for
    # them would wait for ever; an engine may save what it holds.
    on_orphaned: int = signal.SIGKILL
    niceness: int = 0


@dataclass(slots=True)
class Child:
    """A running program in a session of its own; warnings in its output are repeated on the console."""

    program: Program
    log: logging.Logger
    echo: Callable[[str], None]
    process: subprocess.Popen[str] = field(init=False)
    last_lines: deque[str] = field(init=False, default_factory=lambda: deque(maxlen=12))
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        prepare = die_with_parent(number=self.program.on_orphaned, niceness=self.program.niceness)
        self.process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            self.program.command, env=dict(self.program.environment), cwd=self.program.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True, preexec_fn=prepare,  # noqa: PLW1509 - one prctl call, no lock taken
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name=f"log-{self.program.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def terminate(self) -> None:
        """Ask the leader to end; it ends its own children."""
        if not self.ended:
            self.process.terminate()

    def kill(self) -> None:
        """End the whole session, whether or not the leader is still there."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()

    def close(self) -> None:
        """Wait for the rest of the output."""
        self._reader.join(timeout=2)

    def how_it_ended(self) -> str:
        code = self.process.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        loud = False
        for line in self.process.stdout:
            text = line.rstrip("\n")
            self.log.info("%s", text)
            self.last_lines.append(text)
            level = LEVEL.search(text[:80])
            # A line without a level belongs to the record before it: a traceback follows its error.
            loud = level.group(1) in ("WARNING", "ERROR", "CRITICAL") if level else loud
            if loud:
                self.echo(f"{self.program.name:<8}| {text}")


def child_log(folder: Path, name: str) -> logging.Logger:
    """Return a logger that writes bare lines to ``folder/name.log`` and keeps three old files."""
    log = logging.getLogger(f"footnote.children.{name}")
    log.propagate, log.disabled = False, False
    log.setLevel(logging.INFO)
    for old in list(log.handlers):
        log.removeHandler(old)
        old.close()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / f"{name}.log", maxBytes=LOG_BYTES, backupCount=3, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    return log
