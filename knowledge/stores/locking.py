"""One writer at a time for a tenant's folder, across threads and processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from knowledge.errors import StoreBusy

__all__ = ["file_lock", "tenant_lock"]


def tenant_lock(folder: Path, *, seconds: float) -> AbstractContextManager[None]:
    """Hold the folder's write lock; made if it does not exist, released by the kernel if we die.

    :raises StoreBusy: another writer kept it for longer than ``seconds``.
    """
    return file_lock(folder / "write.lock", seconds=seconds)


@contextmanager
def file_lock(path: Path, *, seconds: float) -> Iterator[None]:
    """Hold a lock that is a file; made with its folder if it does not exist, released by the kernel if we die.

    :raises StoreBusy: another holder kept it for longer than ``seconds``.
    """
    descriptor = _acquire(path, deadline=time.monotonic() + seconds)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path, *, deadline: float) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the folder was deleted in between
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same_file(descriptor, path):
                return descriptor
        except BlockingIOError:
            pass
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise StoreBusy()
        time.sleep(0.005)


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Tell whether the lock we hold is still the one others find (a tenant may have been deleted)."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
