"""Checkpoints that are proved before they are gone on from: one that was cut short, or changed, is removed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from chatapp.finetuning.artifacts import file_digest

__all__ = ["HASHES", "Pace", "newest_good", "seal"]

HASHES = "footnote-hashes.json"
PREFIX = "checkpoint-"
SHARE = 0.1
"""Of the time that a run spends on its checkpoints. Those of a billion weights in full have fifteen gigabytes, and ten
of them took far longer than all steps between them on an H100."""


class Pace:
    """Leaves checkpoints out that come too soon after one that took long. Seconds of ``clock``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._next = clock()

    def may_begin(self) -> None:
        """A checkpoint begins now, if there is one."""
        self._began = self._clock()

    @property
    def too_soon(self) -> bool:
        return self._clock() < self._next

    def ended(self) -> None:
        now = self._clock()
        self._next = now + (now - self._began) * (1 - SHARE) / SHARE


def seal(folder: Path) -> None:
    """Write the hashes of a finished checkpoint, last and at once: without them it counts for nothing."""
    hashes = {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file()}
    part = folder / f".{HASHES}"
    with part.open("w", encoding="utf-8") as file:
        json.dump(hashes, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / HASHES)


def newest_good(folder: Path) -> tuple[int, Path] | None:
    """Return the newest whole checkpoint with its step; those after it are removed, since they cannot be used."""
    found = []
    for path in folder.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX)
        if number.isdecimal() and path.is_dir():
            found.append((int(number), path))
    for step, path in sorted(found, reverse=True):
        if _is_whole(path):
            return step, path
        shutil.rmtree(path, ignore_errors=True)
    return None


def _is_whole(folder: Path) -> bool:
    try:
        hashes = json.loads((folder / HASHES).read_text(encoding="utf-8"))
        return bool(hashes) and all(file_digest(folder / name) == digest for name, digest in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False
