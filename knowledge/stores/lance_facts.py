"""What can be measured of a table of the embedded store, from its folder and its indexes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from knowledge.types import StoreFacts

__all__ = ["leftovers", "table_facts"]

VECTOR_INDEX = "vector_idx"  # LanceDB's own name for it; another one would never be found (xagent issue 1557)


def leftovers(folder: Path) -> bool:
    """Tell whether the table was written since it was last optimised, which leaves one version."""
    return len(_manifests(folder)) > 1


def table_facts(handle: Any, folder: Path, *, dirty: bool, ann_rows: int) -> StoreFacts:
    """Measure a table; files that vanish meanwhile are not counted."""
    rows, manifests = int(handle.count_rows()), _manifests(folder)
    files, size = _size(folder)
    written = [time for time in map(_written, manifests) if time is not None]
    return StoreFacts(
        rows=rows, bytes=size, files=files, versions=len(manifests), unindexed=_unindexed(handle, rows, ann_rows),
        oldest=datetime.fromtimestamp(min(written), UTC) if written else None,
        dimension=int(handle.schema.field("vector").type.list_size), dirty=dirty,
    )  # fmt: skip


def _unindexed(handle: Any, rows: int, ann_rows: int) -> dict[str, int]:
    """Return the rows that each index lacks. Small tables have no vector index, and need none."""
    found: dict[str, int] = {}
    for index in handle.list_indices():
        stats = handle.index_stats(index.name)
        found[index.name] = int(stats.num_unindexed_rows) if stats is not None else rows
    if rows >= ann_rows:
        found.setdefault(VECTOR_INDEX, rows)
    return found


def _manifests(folder: Path) -> list[Path]:
    return list((folder / "_versions").glob("*.manifest"))


def _size(folder: Path) -> tuple[int, int]:
    """Return how many files lie in the folder, and their bytes."""
    files = size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(root) / name).stat().st_size
            except FileNotFoundError:
                continue
            files += 1
    return files, size


def _written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
