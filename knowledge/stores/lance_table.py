"""An open table of the embedded store, and its rows in memory while nobody writes to it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from knowledge.stores.lance_rows import HIT_COLUMNS
from knowledge.stores.snapshot import Snapshot

__all__ = ["LanceTable"]

SNAPSHOT_COLUMNS = [*HIT_COLUMNS, "generation", "vector"]
QUICK_ROWS = 2_000  # loaded into memory on the first query (30 ms); more (20,000 take 500 ms) only
QUIET_SECONDS = 2.0  # when nobody has written for this long, else each query of a busy hour would load anew


class LanceTable:
    """An open handle and, while it is of the newest version, the rows in memory."""

    def __init__(self, handle: Any, born: str, manifests: Path) -> None:
        self.handle = handle
        self.born = born
        self._manifests = manifests
        self._snapshot: Snapshot | None = None
        self._seen: tuple[Hashable, float] = (None, 0.0)  # newest version and when a reader first met it
        self._lock = threading.Lock()

    @property
    def rows_held(self) -> int:
        snapshot = self._snapshot
        return snapshot.size if snapshot is not None else 0

    def drop(self) -> None:
        self._snapshot = None

    def _newest(self) -> Hashable:
        """Return what every commit changes: the names of the manifests.

        Asking LanceDB for its version takes two changes of thread, which a busy process waits milliseconds for.
        """
        try:
            return frozenset(os.listdir(self._manifests))  # noqa: PTH208 - names alone, for speed
        except OSError:
            return int(self.handle.version)

    def snapshot(self, room: int) -> Snapshot | None:
        """Return the rows of the newest version; None when they do not fit or change meanwhile."""
        if room < 1:
            return None
        version = self._newest()
        snapshot = self._snapshot
        if snapshot is not None and snapshot.version == version:
            return snapshot
        with self._lock:  # the two searches of a query arrive together; one of them loads
            snapshot = self._snapshot
            if snapshot is not None and snapshot.version == version:
                return snapshot
            self._snapshot = None
            if self._seen[0] != version:
                self._seen = (version, time.monotonic())
            rows = self.handle.count_rows()
            if not 0 < rows <= room or (rows > QUICK_ROWS and time.monotonic() - self._seen[1] < QUIET_SECONDS):
                return None
            loaded = self.handle.search().select(SNAPSHOT_COLUMNS).limit(rows).to_arrow()
            if self._newest() == version and loaded.num_rows == rows:
                self._snapshot = Snapshot(loaded, version=version)
            return self._snapshot
