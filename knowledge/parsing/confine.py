"""Walls around the parser child: memory, CPU, files, processes and network."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from knowledge.parsing.landlock import restrict_files
from knowledge.parsing.seccomp import refuse_system_calls

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 38, 4
_OPEN_FILES = 64
_FORBIDDEN_EVENTS = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.spawn", "pty.")


def confine_process(private: Path | None = None) -> frozenset[str]:
    """Shut the process in for good and return which walls the kernel holds: ``network``, ``files``, ``calls``.

    The audit hook and the limits hold where it holds none. Nothing may be written (``RLIMIT_FSIZE``); empty files
    and folders may be made in ``private``, for libraries that insist on them.
    """
    walls = {"network": _leave_network()}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if hasattr(resource, "RLIMIT_NPROC"):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        walls |= {"files": restrict_files(libc, private), "calls": refuse_system_calls(libc)}
    sys.addaudithook(_refuse)
    return frozenset(name for name, held in walls.items() if held)


def _refuse(event: str, args: Sequence[object]) -> None:
    if event.startswith(_FORBIDDEN_EVENTS):
        raise PermissionError("a parser may not do this")


def _leave_network() -> bool:
    """Move into an empty network namespace; needs root or unprivileged user namespaces."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return False
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    return bool(libc.unshare(flags) == 0)


def address_space() -> int:
    """Bytes of address space this process uses; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def limit_memory(size: int) -> None:
    """Cap the address space at ``size`` bytes; may be called again with another size."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def limit_cpu(seconds: int) -> None:
    """Allow this many further seconds of processor time; then the kernel ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(usage.ru_utime + usage.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
