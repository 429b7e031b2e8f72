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
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import numpy as np

from knowledge.errors import StoreBusy, StoreError, StoreUnavailable
from knowledge.stores.common import batches, checked_id, checked_records, checked_space
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
from knowledge.stores.locking import tenant_lock
from knowledge.stores.snapshot import Snapshot
from knowledge.types import Hit, IndexRecord, Scope, StoreHealth, Vector

__all__ = ["LanceStore"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

HIT_COLUMNS = ["key", "document", "version", "knowledge_base", "text", "terms"]
SNAPSHOT_COLUMNS = [*HIT_COLUMNS, "generation", "vector"]
CONFLICT_ATTEMPTS = 4
READ_ATTEMPTS = 3
PARTITION_ROWS = 16_384  # what LanceDB makes of any number of partitions when it next optimises; this trains fewest
PROBES = 32  # partitions searched: all of them up to some 500,000 rows, so the search is exact there
QUICK_ROWS = 2_000  # loaded into memory on the first query (30 ms); more (20,000 take 500 ms) only
_engine_pid: int | None = None  # the process in which LanceDB runs its threads
QUIET_SECONDS = 2.0  # when nobody has written for this long, else each query of a busy hour would load anew


class LanceStore:
    """Satisfies ``knowledge.stores.base.Store`` on a local directory. Safe across threads and processes.

    Also across forks, if nothing was asked before: one that follows is refused in words (see ``_connect``).
    """

    name: ClassVar[str] = "lance"

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
        self._tables: dict[tuple[str, str], _Table] = {}
        self._guard = threading.Lock()

    # --- writing

    def upsert(self, records: Sequence[IndexRecord], *, space: str, scope: Scope) -> int:
        accepted = checked_records(records, scope=scope)
        if not accepted:
            return 0
        with self._writing(scope.tenant):
            table = self._create(scope.tenant, space, dimension=len(accepted[0].vector))
            rows = _to_arrow(accepted, table.schema)
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

    def delete_tenant(self, *, tenant: str) -> None:
        folder = self._folder(tenant)
        if not folder.exists():
            return
        with self._writing(tenant):
            for born in folder.glob("*.born"):  # readers stop seeing the tables before these go
                born.unlink()
            shutil.rmtree(folder)
        with self._guard:
            self._tables = {key: table for key, table in self._tables.items() if key[0] != tenant}
        if folder.exists():
            raise StoreError("The tenant's folder is still there after its deletion.")

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
            return _hits(query.select([*HIT_COLUMNS, "_distance"]).to_arrow(), score=lambda row: 1.0 - row["_distance"])

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
            return _hits(query.to_arrow(), score=lambda row: row["_score"])

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

        def search(table: _Table) -> list[Hit]:
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
            for hit in _hits(
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

        def read(table: _Table) -> Any:
            query = table.handle.search().where(where).select(["key", "document", "version"])
            return query.limit(max(1, table.handle.count_rows())).to_arrow()

        rows = self._reading(scope.tenant, space, read, missing=None)
        if rows is None:
            return iter(())
        return zip(*(rows.column(name).to_pylist() for name in ("key", "document", "version")), strict=True)

    # --- the rest of the contract

    def spaces(self, *, tenant: str) -> list[str]:
        return sorted(born.stem for born in self._folder(tenant).glob("*.born"))

    def bases(self, *, space: str, tenant: str) -> list[str]:
        def read(table: _Table) -> list[str]:
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

    def _open(self, tenant: str, space: str) -> _Table | None:
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
                table = _Table(self._connect(tenant).open_table(space), born, manifests)
            self._tables[key] = table  # last: most recently used
            return table

    def _create(self, tenant: str, space: str, *, dimension: int) -> Any:
        """Return a handle on the table, made now if need be. Call it under the tenant's lock."""
        table = self._open(tenant, space)
        if table is None:
            connection = self._connect(tenant)
            shutil.rmtree(self._file(tenant, space, "lance"), ignore_errors=True)  # a creation that was cut off
            _index_terms(connection.create_table(space, schema=_schema(dimension)))
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

    def _room_beside(self, table: _Table) -> int:
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

    def _reading(self, tenant: str, space: str, read: Callable[[_Table], T], *, missing: T) -> T:
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


class _Table:
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


def _schema(dimension: int) -> Any:
    import pyarrow as pa

    names = ("key", "knowledge_base", "generation", "document", "version")
    columns = [pa.field(name, pa.string(), nullable=False) for name in names]
    columns += [pa.field("ordinal", pa.int32(), nullable=False)]
    columns += [pa.field(name, pa.string(), nullable=False) for name in ("text", "terms")]
    return pa.schema([*columns, pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)])


def _to_arrow(records: Sequence[IndexRecord], schema: Any) -> Any:
    import pyarrow as pa

    vectors = np.stack([record.vector for record in records]).astype(np.float32, copy=False)
    if vectors.shape[1] != schema.field("vector").type.list_size:
        raise StoreError("The vectors do not have the dimension of their space.")
    columns = [pa.array([getattr(r, field.name) for r in records], field.type) for field in list(schema)[:-1]]
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1]))
    return pa.table(columns, schema=schema)


def _hits(rows: Any, score: Callable[[dict[str, Any]], float] = lambda row: 0.0) -> list[Hit]:
    """Make hits of an Arrow table; vectors, where it has them, as views of one array."""
    vectors: Any = [None] * rows.num_rows
    if "vector" in rows.column_names:
        column = rows.column("vector").combine_chunks()
        vectors = np.asarray(column.flatten(), dtype=np.float32).reshape(-1, column.type.list_size)
        rows = rows.drop_columns(["vector"])
    return [
        Hit(**{name: row[name] for name in HIT_COLUMNS}, score=float(score(row)), vector=vector)
        for row, vector in zip(rows.to_pylist(), vectors, strict=True)
    ]


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

    :raises StoreBusy: it lost every time.
    """
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            return write()
        except (RuntimeError, OSError, ValueError) as err:
            if "conflict" not in str(err).lower():
                raise StoreError() from err
            if attempt == CONFLICT_ATTEMPTS - 1:
                raise StoreBusy() from err
            time.sleep(0.05 * 2**attempt)
    raise StoreBusy()
