"""How much memory each process of a product takes."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

ROLES = {
    "manage.py serve": "supervisor", "trainer@": "trainer", "training/program": "training",
    "celery worker": "worker", "celery beat": "beat", "uvicorn": "web",
    "redis-server": "redis", "weaviate": "weaviate", "parsing.child": "parser", "resource_tracker": "helper",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """One process. ``pss`` counts shared pages by their share, so that the sum is what the machine gives (bytes)."""

    role: str
    pid: int
    pss: int
    rss: int


def memory_of(pid: int) -> list[ProcessMemory]:
    """Return the memory of a process and all its descendants."""
    root = psutil.Process(pid)
    found = []
    for process in [root, *root.children(recursive=True)]:
        try:
            info = process.memory_full_info()
            found.append(ProcessMemory(role_of(process), process.pid, getattr(info, "pss", info.rss), info.rss))
        except psutil.Error:
            continue  # it ended meanwhile
    return found


def role_of(process: psutil.Process) -> str:
    """Name a process by its command line, or by its parent's where it was forked or spawned without one."""
    line = " ".join(process.cmdline()).replace(" --app chatapp.celery", "")
    for sign, role in ROLES.items():
        if sign in line:
            return role
    parent = process.parent()
    return role_of(parent) if parent is not None and "spawn_main" in line else process.name()
