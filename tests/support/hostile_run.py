"""Sends a hostile file through a real parser child and watches its clock and its memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hostile import Case

from knowledge.errors import KnowledgeError
from knowledge.parsing import ChildParser, ParseLimits
from knowledge.types import ParsedDocument

LIMITS = ParseLimits(wall_seconds=90)  # the product's but for the clock


@dataclass(frozen=True, slots=True)
class Result:
    outcome: ParsedDocument | KnowledgeError
    seconds: float
    peak: int | None  # bytes of the child above its idle; None where the system does not tell
    size: int  # bytes of the file


def run(case: Case, parser: ChildParser) -> Result:
    """Parse one file after a harmless one, so that its child is started and has an idle to compare with."""
    assert parser.parse(b"a document before", filename="before.txt", limits=LIMITS).text == "a document before"
    data = case.make()
    with watched(parser) as memory:
        started = time.monotonic()
        try:
            outcome: ParsedDocument | KnowledgeError = parser.parse(data, filename=case.name, limits=LIMITS)
        except KnowledgeError as err:
            outcome = err
        seconds = time.monotonic() - started
    return Result(outcome, seconds, memory.above_idle, len(data))


@dataclass
class Memory:
    idle: int | None = None
    peak: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def above_idle(self) -> int | None:
        return None if self.idle is None or self.peak is None else max(0, self.peak - self.idle)


@contextmanager
def watched(parser: ChildParser) -> Iterator[Memory]:
    """Read every 3 ms the most memory the running child ever had: one that dies takes its last moments with it."""
    process = parser._process
    assert process is not None
    status = Path(f"/proc/{process.pid}/status")
    memory = Memory(_field(status, "VmRSS"))
    memory.peak = memory.idle
    before = _field(status, "VmHWM")

    def watch() -> None:
        while not memory.stop.wait(0.003):
            if (peak := _field(status, "VmHWM")) is not None and peak != before:
                memory.peak = peak

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        if (peak := _field(status, "VmHWM")) is not None and peak != before:
            memory.peak = peak
        memory.stop.set()
        thread.join()


def _field(status: Path, name: str) -> int | None:
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)
