"""Names of processes that hold leases, and the proof that one of them is gone.

An owner is ``kernel#pid#start``. The kernel part names this boot of this machine and the process namespace
(a container has its own), so a pid is only ever looked up where it means something; the start time tells a
process from a later one that was given the same pid.
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from pathlib import Path

PROC = Path("/proc")


def _kernel() -> str:
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (PROC / "self/ns/pid").readlink()
    except OSError:  # no Linux: nothing can be proved, so the name is nobody else's
        return uuid.uuid4().hex[:24]
    return hashlib.sha256(f"{socket.gethostname()}\0{boot}\0{namespace}".encode()).hexdigest()[:24]


KERNEL = _kernel()


def owner_of(pid: int) -> str:
    """Name a process of this machine."""
    started = _started(pid)
    return f"{KERNEL}#{pid}#{'' if started is None else started}"


def owner() -> str:
    """Name this process; a forked child has a name of its own."""
    return owner_of(os.getpid())


def is_gone(name: str) -> bool:
    """Tell whether the owner ran here and does not run any more; False for whatever cannot be known."""
    kernel, _, process = name.partition("#")
    pid, _, started = process.partition("#")
    if kernel != KERNEL or not pid.isdecimal() or not started.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)  # signal 0 only asks, and finds processes that /proc may hide from us
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _started(int(pid))
    return now is not None and now != int(started)


def _started(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the boot; 0 for a dead one, None for what cannot be read."""
    try:
        line = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = line.rpartition(")")[2].split()  # behind the program's name, which may hold anything
    return 0 if fields[0] in ("Z", "X") else int(fields[19])  # a zombie only waits to be counted
