"""What only the embedded store promises: deletion from the disk, locking, memory, forks."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from knowledge.errors import IndexDiskFull, StoreBusy, StoreError, StoreUnavailable
from knowledge.stores import lance, lance_filters, lance_table
from knowledge.stores.lance import LanceStore
from knowledge.stores.locking import tenant_lock
from knowledge.types import IndexRecord, Scope

Make = Callable[..., IndexRecord]
SPACE = "test_8_abcdef01"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LanceStore]:
    opened = LanceStore(tmp_path / "lance")
    yield opened
    opened.close()


def files_with(folder: Path, word: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_nothing_is_made_before_the_first_write(tmp_path: Path, scope: Scope) -> None:
    store = LanceStore(tmp_path / "lance")
    assert store.count(space=SPACE, scope=scope) == 0
    assert not (tmp_path / "lance").exists()


def test_package_does_not_import_the_library() -> None:
    names = "('lancedb', 'weaviate', 'pyarrow')"
    code = f"import sys, knowledge.stores.lance, knowledge.stores.weaviate; print([n for n in {names} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("how", ["delete", "overwrite"])
def test_deleted_word_is_in_no_file_after_optimize(
    store: LanceStore, make: Make, scope: Scope, tmp_path: Path, how: str
) -> None:
    doomed = make("the word zanzibarcanary7 here", version=str(uuid4()))
    store.upsert([make(f"heron number {i}") for i in range(200)], space=SPACE, scope=scope)
    store.upsert([doomed], space=SPACE, scope=scope)
    store.optimize(space=SPACE, tenant=scope.tenant)
    assert files_with(tmp_path, "zanzibarcanary7"), "the control: a word that is there must be found"
    if how == "delete":
        assert store.delete(space=SPACE, scope=scope, versions=[doomed.version]) == 1
    else:
        store.upsert([make("replaced", key=doomed.key)], space=SPACE, scope=scope)
    store.optimize(space=SPACE, tenant=scope.tenant)
    assert files_with(tmp_path, "zanzibarcanary7") == []
    assert store.count(space=SPACE, scope=scope) == (200 if how == "delete" else 201)


def test_optimize_leaves_one_version_and_everything_indexed(
    store: LanceStore, make: Make, scope: Scope, tmp_path: Path
) -> None:
    for i in range(12):
        store.upsert([make(f"heron {i}")], space=SPACE, scope=scope)
    folder = tmp_path / "lance" / scope.tenant / f"{SPACE}.lance"
    before = len(list(folder.rglob("*.*")))
    store.optimize(space=SPACE, tenant=scope.tenant)
    assert len(list((folder / "_versions").glob("*.manifest"))) == 1
    assert len(list(folder.rglob("*.*"))) < before / 2
    stats = store._open(scope.tenant, SPACE).handle.index_stats("terms_idx")  # type: ignore[union-attr]
    assert (stats.num_indexed_rows, stats.num_unindexed_rows) == (12, 0)


def test_searches_beside_optimize_never_fail(tmp_path: Path, make: Make, scope: Scope, generations: list[str]) -> None:
    writer, reader = LanceStore(tmp_path / "lance"), LanceStore(tmp_path / "lance", snapshot_rows=0)
    kept = [make(f"heron {i}") for i in range(50)]
    writer.upsert(kept, space=SPACE, scope=scope)
    stop = threading.Event()
    problems: list[object] = []

    def read() -> None:
        search: dict[str, Any] = {"space": SPACE, "generations": generations, "limit": 1_000, "scope": scope}
        while not stop.is_set():
            try:
                counts = (
                    len(reader.search_vector(kept[0].vector, **search)),
                    len(reader.search_keyword(["heron"], **search)),
                )
                if min(counts) < 50:
                    problems.append(counts)
            except StoreError as err:
                problems.append(err)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(12):
        extra = make(f"heron extra {i}", version=str(uuid4()))
        writer.upsert([extra], space=SPACE, scope=scope)
        writer.delete(space=SPACE, scope=scope, versions=[extra.version])
        writer.optimize(space=SPACE, tenant=scope.tenant)
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_approximate_index_above_the_threshold_finds_old_and_fresh_rows(
    tmp_path: Path, make: Make, scope: Scope, generations: list[str]
) -> None:
    store = LanceStore(tmp_path / "lance", snapshot_rows=0, ann_rows=300)
    records = [make(f"heron {i}") for i in range(400)]
    store.upsert(records, space=SPACE, scope=scope)
    store.optimize(space=SPACE, tenant=scope.tenant)
    names = {index.name for index in store._open(scope.tenant, SPACE).handle.list_indices()}  # type: ignore[union-attr]
    assert names == {"terms_idx", "vector_idx", "knowledge_base_idx", "generation_idx", "document_idx"}
    fresh = make("kestrel")
    store.upsert([fresh], space=SPACE, scope=scope)
    for wanted in (records[17], fresh):
        hits = store.search_vector(wanted.vector, space=SPACE, generations=generations, limit=1, scope=scope)
        assert [hit.key for hit in hits] == [wanted.key]
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("share", "engine_calls"), [(0.9, 1), (0.02, 2)])
def test_a_scope_of_many_documents_is_searched_without_naming_them(
    tmp_path: Path, make: Make, scope: Scope, generations: list[str], monkeypatch: pytest.MonkeyPatch, share: float,
    engine_calls: int,
) -> None:  # fmt: skip
    """What is found is the same; a scope that is too small a part of all is named after all."""
    documents = [str(uuid4()) for _ in range(200)]
    store = LanceStore(tmp_path / "lance", snapshot_rows=0)
    records = [make(f"heron w{i % 7} w{i}", document=document) for i, document in enumerate(documents)]
    store.upsert(records, space=SPACE, scope=scope)
    store.optimize(space=SPACE, tenant=scope.tenant)
    part = Scope(
        tenant=scope.tenant, knowledge_bases=scope.knowledge_bases,
        documents=frozenset(documents[: int(share * len(documents))]),
    )  # fmt: skip
    search: dict[str, Any] = {"space": SPACE, "generations": generations, "limit": 4, "scope": part}
    named = store.search_vector(records[3].vector, **search), store.search_keyword(["w3", "w10"], **search)
    monkeypatch.setattr(lance_filters, "MOST_NAMED", 3)
    filters: list[str] = []
    real = lance_filters.scope_filter
    for module in (lance, lance_filters):
        monkeypatch.setattr(module, "scope_filter", lambda given: filters.append(str(given.documents)) or real(given))
    by_vector = store.search_vector(records[3].vector, **search)
    assert len(filters) == engine_calls
    assert [hit.key for hit in by_vector] == [hit.key for hit in named[0]]
    assert {hit.document for hit in by_vector} <= set(documents[: int(share * len(documents))])
    by_keyword = store.search_keyword(["w3", "w10"], **search)
    assert [round(hit.score, 4) for hit in by_keyword] == [round(hit.score, 4) for hit in named[1]]


def test_memory_and_disk_give_the_same_answers(
    tmp_path: Path, make: Make, scope: Scope, generations: list[str]
) -> None:
    memory, disk = LanceStore(tmp_path / "lance"), LanceStore(tmp_path / "lance", snapshot_rows=0)
    records = [make(f"heron w{i % 7} w{i % 5} w{i}") for i in range(60)]
    memory.upsert(records, space=SPACE, scope=scope)
    search: dict[str, Any] = {"space": SPACE, "generations": generations, "limit": 10, "scope": scope}
    one, two = (store.search_vector(records[3].vector, **search) for store in (memory, disk))
    assert [hit.key for hit in one] == [hit.key for hit in two]
    assert [hit.score for hit in one] == pytest.approx([hit.score for hit in two], abs=1e-5)
    one, two = (store.search_keyword(["w3", "w11", "heron"], **search) for store in (memory, disk))
    assert one[0].key == two[0].key == records[11].key or one[0].key == two[0].key
    assert {hit.key for hit in one[:3]} == {hit.key for hit in two[:3]}


def test_rows_held_in_memory_keep_to_the_budget(
    tmp_path: Path, make: Make, scope: Scope, generations: list[str]
) -> None:
    store = LanceStore(tmp_path / "lance", snapshot_rows=100)
    spaces = ["one_8_a", "two_8_b", "six_8_c"]
    for space, size in zip(spaces, (60, 60, 300), strict=True):
        store.upsert([make(f"heron {i}") for i in range(size)], space=space, scope=scope)
    vector = make("any").vector
    for space, size in zip(spaces * 2, (60, 60, 300) * 2, strict=True):
        hits = store.search_vector(vector, space=space, generations=generations, limit=500, scope=scope)
        assert len(hits) == size
        assert sum(table.rows_held for table in store._tables.values()) <= 100


def test_large_table_is_not_loaded_while_it_is_written(
    store: LanceStore, make: Make, scope: Scope, generations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_table, "QUICK_ROWS", 5)
    store.upsert([make(f"heron {i}") for i in range(10)], space=SPACE, scope=scope)

    def held_after_search() -> int:
        hits = store.search_keyword(["heron"], space=SPACE, generations=generations, limit=50, scope=scope)
        assert len(hits) == 10
        return sum(table.rows_held for table in store._tables.values())

    assert held_after_search() == 0
    monkeypatch.setattr(lance_table, "QUIET_SECONDS", 0.0)
    assert held_after_search() == 10


def test_a_table_made_anew_at_the_same_version_is_not_mistaken_for_the_old(
    tmp_path: Path, make: Make, scope: Scope, generations: list[str]
) -> None:
    reader, writer = LanceStore(tmp_path / "lance"), LanceStore(tmp_path / "lance")
    search: dict[str, Any] = {"space": SPACE, "generations": generations, "limit": 5, "scope": scope}
    for word in ("heron", "kestrel"):
        writer.upsert([make(word)], space=SPACE, scope=scope)
        assert [hit.text for hit in reader.search_keyword(["heron", "kestrel"], **search)] == [word]
        writer.delete_tenant(tenant=scope.tenant)
        assert reader.search_keyword(["heron", "kestrel"], **search) == []


def test_creation_that_was_cut_off_is_begun_again(store: LanceStore, make: Make, scope: Scope, tmp_path: Path) -> None:
    store.upsert([make("heron")], space=SPACE, scope=scope)
    (tmp_path / "lance" / scope.tenant / f"{SPACE}.born").unlink()
    assert store.count(space=SPACE, scope=scope) == 0
    assert store.upsert([make("kestrel")], space=SPACE, scope=scope) == 1
    assert store.count(space=SPACE, scope=scope) == 1


def test_writer_that_waits_too_long_is_told_to_retry(tmp_path: Path, make: Make, scope: Scope) -> None:
    store = LanceStore(tmp_path / "lance", lock_seconds=0.1)
    with tenant_lock(tmp_path / "lance" / scope.tenant, seconds=1), pytest.raises(StoreBusy):
        store.upsert([make("heron")], space=SPACE, scope=scope)
    assert store.upsert([make("heron")], space=SPACE, scope=scope) == 1


def test_commit_conflicts_are_retried_and_then_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.stores.lance.time.sleep", lambda seconds: None)
    calls: list[int] = []

    def conflicting(until: int) -> Callable[[], str]:
        calls.clear()

        def write() -> str:
            calls.append(1)
            if len(calls) < until:
                raise RuntimeError("lance error: Retryable commit conflict for version 3")
            return "written"

        return write

    assert lance._retrying(conflicting(until=3)) == "written"
    with pytest.raises(StoreBusy):
        lance._retrying(conflicting(until=99))
    assert len(calls) == lance.CONFLICT_ATTEMPTS

    def broken() -> None:
        calls.append(1)
        raise OSError("disk on fire")

    calls.clear()
    with pytest.raises(StoreError) as caught:
        lance._retrying(broken)
    assert (len(calls), type(caught.value)) == (1, StoreError)


def test_disk_without_room_is_told_apart() -> None:
    def write() -> None:
        raise RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), src/writer.rs:191:9")

    with pytest.raises(IndexDiskFull, match="disk is full"):
        lance._retrying(write)


def test_damaged_table_is_unavailable_not_empty(store: LanceStore, make: Make, scope: Scope, tmp_path: Path) -> None:
    store.upsert([make("heron")], space=SPACE, scope=scope)
    for path in (tmp_path / "lance" / scope.tenant / f"{SPACE}.lance" / "data").iterdir():
        path.write_bytes(b"rubbish")
    other = LanceStore(tmp_path / "lance")
    with pytest.raises(StoreUnavailable):
        list(other.keys(space=SPACE, scope=scope))


FORKING = """
import os, pickle, sys, warnings
from pathlib import Path
from knowledge.errors import StoreError
from knowledge.stores.lance import LanceStore

folder, first, second, given, used_before = pickle.load(sys.stdin.buffer)
store = LanceStore(Path(folder))
where = {"space": given["space"], "scope": given["scope"]}
if used_before:
    store.upsert([first], **where)
warnings.simplefilter("ignore")  # the library calls forks experimental
child = os.fork()
if child == 0:
    answer = 1
    try:
        written = store.upsert([second], **where)
        answer = 0 if written == len(store.search_vector(second.vector, **given)) == 1 else 2
    except StoreError as error:
        answer = 3 if "open it after the fork" in str(error) else 4
    finally:
        os._exit(answer)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if store.upsert([first], **where) == 1 else 9)
"""


@pytest.mark.parametrize(("used_before", "answer", "held"), [(False, 0, 2), (True, 3, 1)])
def test_a_store_works_in_a_forked_process_unless_it_was_used_before(
    store: LanceStore, make: Make, scope: Scope, generations: list[str], tmp_path: Path, used_before: bool, answer: int,
    held: int,
) -> None:  # fmt: skip
    """One that was is refused in words: LanceDB may end such a process with a segmentation fault."""
    search = {"space": SPACE, "generations": generations, "limit": 5, "scope": scope}
    given = pickle.dumps((str(tmp_path / "lance"), make("heron"), make("kestrel"), search, used_before))
    done = subprocess.run([sys.executable, "-c", FORKING], input=given, check=False)  # noqa: S603
    assert done.returncode == answer
    assert store.count(space=SPACE, scope=scope) == held


def test_folder_that_cannot_be_written_is_not_healthy(store: LanceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.health().ok
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert not store.health().ok
