"""The embedded store: LanceDB, a directory per tenant, one table per embedding space.

Only this file may import lancedb. Writers of a tenant take turns by an inter-process file lock;
readers take none. On the disk::

    <path>/<tenant>/write.lock
    <path>/<tenant>/<space>.lance/   the table
    <path>/<tenant>/<space>.born     a random name written when the table is complete; another name
                                     means another table, whatever its version number
    <path>/<tenant>/<space>.dirty    deleted text may still be in the table's files
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import numpy as np

from knowledge.errors import IndexDiskFull, StoreBusy, StoreError, StoreUnavailable
from knowledge.stores import lance_files
from knowledge.stores.common import batches, checked_id, checked_ids, checked_records, checked_space
from knowledge.stores.lance_facts import leftovers, table_facts
from knowledge.stores.lance_filters import (
    KEYS_PER_FILTER,
    among,
    check_scope,
    delete_filters,
    of_generation,
    oversampled,
    parts,
    scope_filter,
)
from knowledge.stores.lance_rows import HIT_COLUMNS, RECORD_COLUMNS, table_schema, to_arrow, to_hits, to_records
from knowledge.stores.lance_table import LanceTable
from knowledge.stores.locking import tenant_lock
from knowledge.stores.snapshot import Snapshot
from knowledge.types import Hit, IndexRecord, Scope, StoreFacts, StoreHealth, Vector

__all__ = ["LanceStore"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

CONFLICT_ATTEMPTS = 4
READ_ATTEMPTS = 3
PARTITION_ROWS = 16_384  # what LanceDB makes of any number of partitions when it next optimises; this trains fewest
PROBES = 32  # partitions searched: all of them up to some 500,000 rows, so the search is exact there
_engine_pid: int | None = None  # the process in which LanceDB runs its threads


class LanceStore:
    """Satisfies ``knowledge.stores.base.Store`` on a local directory. Safe across threads and processes.

    Also across forks, if nothing was asked before: one that follows is refused in words (see ``_connect``).
    """

    name: ClassVar[str] = "lance"
    own: ClassVar[bool] = True
    erasure: ClassVar[str] = "LanceDB: every row and the full-text index were written anew, older files removed."

    def __init__(
        self, path: Path, *, snapshot_rows: int = 20_000, ann_rows: int = 50_000, lock_seconds: float = 60.0
    ) -> None:
        """Keep tables below ``path``; open nothing yet.

        ``snapshot_rows``: rows held in memory by this process, over all tables; 0 always asks LanceDB.
        ``ann_rows``: from this size on ``optimize`` builds an approximate vector index.
        """
        self._path = Path(path)
        self._snapshot_rows = snapshot_rows
        self._ann_rows = ann_rows
        self._lock_seconds = lock_seconds
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._tables: dict[tuple[str, str], LanceTable] = {}
        self._guard = threading.Lock()

    # --- writing

    def upsert(self, records: Sequence[IndexRecord], *, space: str, scope: Scope) -> int:
        accepted = checked_records(records, scope=scope)
        if not accepted:
            return 0
        with self._writing(scope.tenant):
            table = self._create(scope.tenant, space, dimension=len(accepted[0].vector))
            rows = to_arrow(accepted, table.schema)
            merge = table.merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
            result = _retrying(lambda: merge.execute(rows))
            if result.num_updated_rows:
                self._file(scope.tenant, space, "dirty").touch()
            keys = [record.key for record in accepted]
            return sum(int(table.count_rows(among("key", batch))) for batch in batches(keys, KEYS_PER_FILTER))

    def delete(
        self, *, space: str, scope: Scope, versions: Collection[str] | None = None, keys: Collection[str] | None = None,
        generation: str | None = None,
    ) -> int:  # fmt: skip
        if scope.is_empty:
            return 0
        wheres = delete_filters(scope, versions=versions, keys=keys, generation=generation)
        with self._writing(scope.tenant):
            table = self._open(scope.tenant, space)
            if table is None:
                return 0
            before = sum(int(table.handle.count_rows(where)) for where in wheres)
            if before:
                self._file(scope.tenant, space, "dirty").touch()
                for where in wheres:
                    _retrying(partial(table.handle.delete, where))
                left = sum(table.handle.count_rows(where) for where in wheres)
                if left:
                    raise StoreError(f"{left} of {before} records are still in the search index after their deletion.")
            return before

    def delete_tenant(self, *, tenant: str, space: str | None = None) -> None:
        folder = self._folder(tenant)
        if not folder.exists():
            return
        with self._writing(tenant):
            lance_files.remove(folder, space=space and checked_space(space))
        with self._guard:
            self._tables = {key: table for key, table in self._tables.items() if key != (tenant, space or key[1])}

    def unpurged(self, *, space: str, tenant: str) -> bool:
        return self._file(tenant, space, "dirty").exists()

    def optimize(self, *, space: str, tenant: str) -> None:
        with self._writing(tenant):
            table = self._open(tenant, space)
            if table is None:
                return
            handle, dirty = table.handle, self._file(tenant, space, "dirty")
            _retrying(handle.optimize)
            if dirty.exists():
                # Compaction leaves a file alone until a tenth of its rows are deleted, and an updated
                # index keeps the words of deleted rows: write every row and the index anew.
                _retrying(lambda: handle.update(where="true", values_sql={"terms": "terms"}))
                _index_terms(handle)
            self._index_vectors(handle)
            self._index_filters(handle)
            # Not zero: the client warns of that, and warnings are errors here. A reader of an older
            # version asks again (see ``_reading``); no other writer can be under way.
            _retrying(lambda: handle.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True))
            dirty.unlink(missing_ok=True)

    def _index_vectors(self, handle: Any) -> None:
        rows = handle.count_rows()
        if rows < self._ann_rows:
            return
        from lancedb.index import IvfFlat

        stats = handle.index_stats("vector_idx")
        if stats is not None and stats.num_unindexed_rows * 10 < rows:
            return
        config = IvfFlat(distance_type="cosine", num_partitions=max(1, rows // PARTITION_ROWS))
        _retrying(lambda: handle.create_index("vector", config=config, replace=True))

    def _index_filters(self, handle: Any) -> None:
        """Index what a search is narrowed by; without it each one compares these columns row by row.

        Made anew each time, in about .2 seconds for 300,000 rows: nothing stays in it of rows that are gone.
        """
        if handle.count_rows() < self._ann_rows:
            return
        from lancedb.index import Bitmap, BTree

        for column, config in (("knowledge_base", Bitmap()), ("generation", Bitmap()), ("document", BTree())):
            _retrying(partial(handle.create_index, column, config=config, replace=True))

    # --- reading

    def search_vector(
        self, vector: Vector, *, space: str, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        def engine(handle: Any, where: str, limit: int) -> list[Hit]:
            query = handle.search(np.asarray(vector, dtype=np.float32), vector_column_name="vector")
            query = query.distance_type("cosine").nprobes(PROBES).where(where, prefilter=True).limit(limit)
            return to_hits(
                query.select([*HIT_COLUMNS, "_distance"]).to_arrow(), score=lambda row: 1.0 - row["_distance"]
            )

        def memory(snapshot: Snapshot) -> list[Hit]:
            return snapshot.search_vector(vector, generations=generations, limit=limit, scope=scope)

        return self._search(engine, memory, space=space, generations=generations, limit=limit, scope=scope)

    def search_keyword(
        self, terms: Sequence[str], *, space: str, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        wanted = list(dict.fromkeys(term for term in terms if term and not term.isspace()))
        if not wanted:
            return []

        def engine(handle: Any, where: str, limit: int) -> list[Hit]:
            from lancedb.query import MatchQuery

            match: Any = MatchQuery  # its checker cannot see the defaults
            query = handle.search(match(" ".join(wanted), "terms"), query_type="fts")
            query = query.where(where, prefilter=True).limit(limit).select([*HIT_COLUMNS, "vector", "_score"])
            return to_hits(query.to_arrow(), score=lambda row: row["_score"])

        def memory(snapshot: Snapshot) -> list[Hit]:
            return snapshot.search_keyword(wanted, generations=generations, limit=limit, scope=scope)

        return self._search(engine, memory, space=space, generations=generations, limit=limit, scope=scope)

    def _search(
        self, engine: Callable[[Any, str, int], list[Hit]], memory: Callable[[Snapshot], list[Hit]],
        *, space: str, generations: Collection[str], limit: int, scope: Scope,
    ) -> list[Hit]:  # fmt: skip
        if scope.is_empty or not generations or limit < 1:
            return []
        live = among("generation", generations)
        check_scope(scope)

        def search(table: LanceTable) -> list[Hit]:
            snapshot = table.snapshot(self._room_beside(table))
            if snapshot is not None:
                return memory(snapshot)
            found = oversampled(partial(engine, table.handle), live=live, limit=limit, scope=scope)
            return engine(table.handle, f"{scope_filter(scope)} AND {live}", limit) if found is None else found

        return self._reading(scope.tenant, space, search, missing=[])

    def in_memory(self, *, space: str, scope: Scope) -> bool:
        table = None if scope.is_empty else self._open(scope.tenant, space)
        return table is not None and table.rows_held > 0

    def fetch(self, keys: Collection[str], *, space: str, scope: Scope) -> list[Hit]:
        if scope.is_empty or not keys:
            return []
        wheres = [f"{scope_filter(scope)} AND {among('key', part)}" for part in parts(keys)]
        return self._reading(scope.tenant, space, lambda table: [
            hit for where in wheres
            for hit in to_hits(
                table.handle.search().where(where).select([*HIT_COLUMNS, "vector"]).limit(KEYS_PER_FILTER).to_arrow()
            )
        ], missing=[])  # fmt: skip

    def count(self, *, space: str, scope: Scope, version: str | None = None, generation: str | None = None) -> int:
        if scope.is_empty:
            return 0
        where = scope_filter(scope) + of_generation(generation)
        if version is not None:
            where += f" AND {among('version', [version])}"
        return self._reading(scope.tenant, space, lambda table: int(table.handle.count_rows(where)), missing=0)

    def keys(
        self, *, space: str, scope: Scope, generation: str | None = None
    ) -> Iterator[tuple[str, str, str]]:  # fmt: skip
        if scope.is_empty:
            return iter(())
        where = scope_filter(scope) + of_generation(generation)

        def read(table: LanceTable) -> Any:
            query = table.handle.search().where(where).select(["key", "document", "version"])
            return query.limit(max(1, table.handle.count_rows())).to_arrow()

        rows = self._reading(scope.tenant, space, read, missing=None)
        if rows is None:
            return iter(())
        return zip(*(rows.column(name).to_pylist() for name in ("key", "document", "version")), strict=True)

    def records(
        self, *, space: str, scope: Scope, keys: Collection[str] | None = None
    ) -> Iterator[IndexRecord]:  # fmt: skip
        wanted = [key for key, *_ in self.keys(space=space, scope=scope)] if keys is None else checked_ids(keys)
        if scope.is_empty or not wanted:
            return iter(())
        where, missing = scope_filter(scope), list[IndexRecord]()

        def read(batch: list[str], table: LanceTable) -> list[IndexRecord]:
            query = table.handle.search().where(f"{where} AND {among('key', batch)}").select(RECORD_COLUMNS)
            return to_records(query.limit(len(batch)).to_arrow())

        return (
            record
            for batch in batches(wanted, KEYS_PER_FILTER)
            for record in self._reading(scope.tenant, space, partial(read, batch), missing=missing)
        )

    # --- the rest of the contract

    def tenants(self) -> list[str]:
        return lance_files.tenants(self._path)

    def facts(self, *, space: str, tenant: str) -> StoreFacts | None:
        folder, dirty = self._file(tenant, space, "lance"), self._file(tenant, space, "dirty")

        def read(table: LanceTable) -> StoreFacts:
            return table_facts(table.handle, folder, dirty=dirty.exists(), ann_rows=self._ann_rows)

        return self._reading(tenant, space, read, missing=None)

    def needs_upkeep(self, *, space: str, tenant: str) -> bool:
        if not self._file(tenant, space, "born").exists():
            return False
        return self._file(tenant, space, "dirty").exists() or leftovers(self._file(tenant, space, "lance"))

    def spaces(self, *, tenant: str) -> list[str]:
        return sorted(born.stem for born in self._folder(tenant).glob("*.born"))

    def bases(self, *, space: str, tenant: str) -> list[str]:
        def read(table: LanceTable) -> list[str]:
            query = table.handle.search().select(["knowledge_base"]).limit(max(1, table.handle.count_rows()))
            return sorted({base for batch in query.to_batches() for base in batch.column(0).unique().to_pylist()})

        return self._reading(tenant, space, read, missing=[])

    def health(self) -> StoreHealth:
        self._path.mkdir(parents=True, exist_ok=True)
        usable = os.access(self._path, os.R_OK | os.W_OK | os.X_OK)
        detail = "" if usable else "The folder of the search index cannot be written."
        return StoreHealth(name=self.name, version=version("lancedb"), ok=usable, detail=detail)

    def warm_up(self) -> None:
        import lancedb  # noqa: F401  two seconds of processor time

    def close(self) -> None:
        with self._guard:
            self._tables = {}

    # --- tables

    def _folder(self, tenant: str) -> Path:
        return self._path / checked_id(tenant)

    def _file(self, tenant: str, space: str, suffix: str) -> Path:
        return self._folder(tenant) / f"{checked_space(space)}.{suffix}"

    def _writing(self, tenant: str) -> Any:
        return tenant_lock(self._folder(tenant), seconds=self._lock_seconds)

    def _open(self, tenant: str, space: str) -> LanceTable | None:
        """Return the table as it is now, or None when there is none."""
        try:
            born = self._file(tenant, space, "born").read_text()
        except FileNotFoundError:
            return None
        if self._pid != os.getpid():
            self._forget()
        key = (tenant, space)
        with self._guard:
            table = self._tables.pop(key, None)
            if table is None or table.born != born:
                manifests = self._file(tenant, space, "lance") / "_versions"
                table = LanceTable(self._connect(tenant).open_table(space), born, manifests)
            self._tables[key] = table  # last: most recently used
            return table

    def _create(self, tenant: str, space: str, *, dimension: int) -> Any:
        """Return a handle on the table, made now if need be. Call it under the tenant's lock."""
        table = self._open(tenant, space)
        if table is None:
            connection = self._connect(tenant)
            shutil.rmtree(self._file(tenant, space, "lance"), ignore_errors=True)  # a creation that was cut off
            _index_terms(connection.create_table(space, schema=table_schema(dimension)))
            born = self._file(tenant, space, "born")
            born.with_suffix(".tmp").write_text(str(uuid4()))
            born.with_suffix(".tmp").replace(born)
            table = self._open(tenant, space)
        if table is None or table.handle.schema.field("vector").type.list_size != dimension:
            raise StoreError("The vectors do not have the dimension of their space.")
        return table.handle

    def _connect(self, tenant: str) -> Any:
        """Open the folder of a tenant.

        :raises StoreError: this process was forked from one in which LanceDB runs. Its threads are not here, and some
            four of ten writes would end the process with a segmentation fault in Arrow's kernels.
        """
        global _engine_pid
        import lancedb

        if _engine_pid not in (None, os.getpid()):
            raise StoreError("The search index was open when this process was forked; open it after the fork.")
        _engine_pid = os.getpid()
        # Zero: every read sees the newest commit, of other processes too.
        return lancedb.connect(str(self._folder(tenant)), read_consistency_interval=timedelta(0))

    def _room_beside(self, table: LanceTable) -> int:
        """Return how many rows this table may hold in memory, dropping tables not used for longest."""
        with self._guard:
            others = [other for other in self._tables.values() if other is not table]
        held = sum(other.rows_held for other in others)
        for other in others:
            if held <= self._snapshot_rows // 2:
                break
            held -= other.rows_held
            other.drop()
        return self._snapshot_rows - held

    def _reading(self, tenant: str, space: str, read: Callable[[LanceTable], T], *, missing: T) -> T:
        """Read again, from a table opened anew, when a clean-up took a file away meanwhile."""
        for attempt in range(1, READ_ATTEMPTS + 1):
            table = self._open(tenant, space)
            if table is None:
                return missing
            try:
                return read(table)
            except (RuntimeError, OSError, ValueError) as err:
                if attempt == READ_ATTEMPTS:
                    logger.exception("reading the search index failed: tenant=%s space=%s", tenant, space)
                    raise StoreUnavailable() from err
                logger.info("reading the search index again: tenant=%s space=%s", tenant, space)
                with self._guard:
                    self._tables.pop((tenant, space), None)
        return missing


def _index_terms(handle: Any) -> None:
    """Index ``terms`` exactly as we analysed them."""
    from lancedb.index import FTS

    config = FTS(
        base_tokenizer="whitespace", lower_case=False, stem=False, remove_stop_words=False, ascii_folding=False,
        with_position=False, max_token_length=None,
    )  # fmt: skip
    _retrying(lambda: handle.create_index("terms", config=config, replace=True))


def _retrying(write: Callable[[], T]) -> T:
    """Repeat a write that lost against another commit.

    :raises StoreBusy: it lost every time; ``IndexDiskFull``: there is no room for it.
    """
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            return write()
        except (RuntimeError, OSError, ValueError) as err:
            if "no space left" in str(err).lower():
                raise IndexDiskFull() from err
            if "conflict" not in str(err).lower():
                raise StoreError() from err
            if attempt == CONFLICT_ATTEMPTS - 1:
                raise StoreBusy() from err
            time.sleep(0.05 * 2**attempt)
    raise StoreBusy()
