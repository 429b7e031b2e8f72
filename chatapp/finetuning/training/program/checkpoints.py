"""Checkpoints that are proved before they are gone on from: one that was cut short, or changed, is removed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from chatapp.finetuning.artifacts import file_digest

__all__ = ["HASHES", "newest_good", "seal"]

HASHES = "footnote-hashes.json"
PREFIX = "checkpoint-"


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
