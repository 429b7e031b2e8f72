"""One parent for every process: starts them, restarts what crashes, and leaves none behind."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from chatapp.operations.processes import Child, Program, adopt_orphans, child_log, end_orphans

__all__ = ["StartFailed", "Supervisor"]

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
ORPHAN_SECONDS = 2.0
LONGEST_BACK_OFF = 30.0
HEALTHY_SECONDS = 60.0
TRIES_BEFORE_READY = 3


class StartFailed(RuntimeError):
    """The product could not start; the message says why in words."""


@dataclass(slots=True)
class _Slot:
    """A program with its current child, and how often it crashed lately."""

    program: Program
    child: Child | None = None
    started: float = 0.0
    crashes: int = 0
    start_again: float = 0.0


class Supervisor:
    """Runs programs until told to stop. All methods belong to the main thread (parent-death signals are per thread)."""

    def __init__(self, *, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._slots: dict[str, _Slot] = {}
        self._stop = threading.Event()
        self._impatient = False
        self._running = False
        self._ready = False
        self._looked_for_orphans = 0.0
        adopt_orphans()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup asks us to ignore it
                signal.signal(number, self._on_signal)

    def start(self, program: Program) -> None:
        """Start a program now and keep it running."""
        slot = self._slots[program.name] = _Slot(program)
        self._launch(slot)

    def wait_for(self, condition: Callable[[], bool], *, name: str, timeout: float) -> None:
        """Wait until a started program answers.

        :raises StartFailed: it ended, or did not answer within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            child = self._slots[name].child
            if child is None or child.ended:
                raise StartFailed(f"{name} ended while starting: {self._last_words(name)}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{name} did not answer within {timeout:.0f} seconds; see {self._log_path(name)}.")
            time.sleep(0.02)

    def run(self, *, ready: Callable[[], bool], on_ready: Callable[[], None]) -> None:
        """Watch the programs until a signal arrives; call ``on_ready`` once when ``ready`` first holds.

        :raises StartFailed: a program kept crashing before the product was ready.
        """
        self._running = True
        next_probe = 0.0
        while not self._stop.is_set():
            self._watch()
            if not self._ready and time.monotonic() >= next_probe:
                if ready():
                    self._ready = True
                    on_ready()
                next_probe = time.monotonic() + 0.2
            self._stop.wait(POLL_SECONDS)

    def stop(self, *, last: Iterable[str] = ()) -> None:
        """End all programs, those named in ``last`` after the others, then whatever is left of them."""
        self._stop.set()
        self._running = True  # from here a signal asks for haste instead of interrupting the clean-up
        last = set(last)
        self._end([slot for name, slot in self._slots.items() if name not in last])
        self._end([slot for name, slot in self._slots.items() if name in last])
        for left in psutil.Process().children(recursive=True):
            try:
                left.kill()
            except psutil.NoSuchProcess:
                continue
        end_orphans(set())
        self._slots.clear()

    # --- inside

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if not self._running:
            self._running = True
            raise KeyboardInterrupt  # still setting up: leave through the finally blocks
        self._impatient = self._stop.is_set()
        self._stop.set()

    def _echo(self, line: str) -> None:
        if not self._stop.is_set():  # what programs warn of while they end is in their logs
            self._say(line)

    def _launch(self, slot: _Slot) -> None:
        log = child_log(self._logs, slot.program.name)
        slot.child = Child(slot.program, log, self._echo)
        slot.started = time.monotonic()

    def _watch(self) -> None:
        now = time.monotonic()
        for slot in self._slots.values():
            if slot.child is None:
                if now >= slot.start_again:
                    self._launch(slot)
            elif slot.child.ended:
                self._crashed(slot, slot.child, now)
        if now - self._looked_for_orphans > ORPHAN_SECONDS:
            self._looked_for_orphans = now
            end_orphans({slot.child.pid for slot in self._slots.values() if slot.child})

    def _crashed(self, slot: _Slot, child: Child, now: float) -> None:
        """Clear the rest of the session and plan the next start: 1, 2, 4 ... 30 seconds later."""
        child.kill()
        child.close()
        slot.crashes = 1 if now - slot.started > HEALTHY_SECONDS else slot.crashes + 1
        if not self._ready and slot.crashes >= TRIES_BEFORE_READY:
            raise StartFailed(f"{slot.program.name} does not start: {self._last_words(slot.program.name)}")
        pause = min(2.0 ** (slot.crashes - 1), LONGEST_BACK_OFF)
        slot.child, slot.start_again = None, now + pause
        self._say(f"{slot.program.name} ended ({child.how_it_ended()}); starting it again in {pause:.0f} s")

    def _end(self, slots: list[_Slot]) -> None:
        children = [slot.child for slot in slots if slot.child is not None]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + max((child.program.grace for child in children), default=0.0)
        while not self._impatient and time.monotonic() < deadline and not all(child.ended for child in children):
            time.sleep(0.05)
        for child in children:
            child.kill()
            child.close()

    def _last_words(self, name: str) -> str:
        child = self._slots[name].child
        lines = [line for line in child.last_lines if line.strip()] if child else []
        return f"{lines[-1] if lines else 'it said nothing'} (see {self._log_path(name)})"

    def _log_path(self, name: str) -> str:
        return os.fspath(self._logs / f"{name}.log")
