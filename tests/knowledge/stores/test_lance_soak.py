"""Many small writes and deletes, as documents come and go: the files of the embedded store stay few with upkeep.

LanceDB keeps every state of a table; others let a small table grow to 73,669 files and 15 GB (xagent issue 1195).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from knowledge.stores.lance import LanceStore
from knowledge.types import IndexRecord, Scope, StoreFacts

SPACE = "soak_8_abcdef01"
ROUNDS, EVERY = 150, 20  # of a write and a delete each; upkeep after so many


def soak(
    store: LanceStore, make: Callable[..., IndexRecord], scope: Scope, *, upkeep: bool
) -> tuple[StoreFacts, list[int]]:
    """Return the facts at the end, and the number of files after each upkeep."""
    where, files = {"space": SPACE, "tenant": scope.tenant}, []
    versions = [str(uuid4()) for _ in range(ROUNDS)]
    for i, version in enumerate(versions):
        store.upsert([make(f"heron {i} {j}", version=version) for j in range(5)], space=SPACE, scope=scope)
        if i >= 10:
            assert store.delete(space=SPACE, scope=scope, versions=[versions[i - 10]]) == 5
        if upkeep and i % EVERY == EVERY - 1 and store.needs_upkeep(**where):
            store.optimize(**where)
            measured = store.facts(**where)
            assert measured is not None
            assert (measured.versions, measured.dirty, measured.unindexed["terms_idx"]) == (1, False, 0)
            files.append(measured.files or 0)
    facts = store.facts(**where)
    assert facts is not None
    return facts, files


def test_files_stay_few_with_upkeep(tmp_path: Path, make: Callable[..., IndexRecord], scope: Scope) -> None:
    kept, files = soak(LanceStore(tmp_path / "kept"), make, scope, upkeep=True)
    left, _ = soak(LanceStore(tmp_path / "left"), make, scope, upkeep=False)
    print(f"\nwith upkeep: files after each {files}, at the end {kept.files} files, {kept.bytes} bytes")
    print(f"without: {left.files} files, {left.bytes} bytes, {left.versions} versions, {left.unindexed} unindexed")
    assert kept.rows == left.rows == 50
    assert max(files) <= files[0] + 5, "no growth from one upkeep to the next"
    assert (kept.files or 0) < 10 * EVERY
    assert (left.files or 0) > 5 * (kept.files or 0), "or the soak proves nothing"
