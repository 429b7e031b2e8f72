"""The distributed store: Weaviate, one collection per embedding space, one native tenant per tenant.

Only this file may import weaviate. Our chunk keys are the object ids, so that a retry overwrites.
The server is given no readable text (knowledge.stores.sealing says why).
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, TypeVar

import numpy as np

from knowledge.errors import StoreBusy, StoreError, StoreUnavailable
from knowledge.stores.common import batches, checked_id, checked_ids, checked_records, checked_space
from knowledge.stores.sealing import Seal
from knowledge.stores.weaviate_calls import Asleep, Missing, address, delete_counted, refusal, total, walk
from knowledge.types import Hit, IndexRecord, Scope, StoreFacts, StoreHealth, Vector

__all__ = ["WeaviateStore"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST, TOO_NEW = (1, 36), (2, 0)
PREFIX = "Sealed_"
PROPERTIES = ["document", "version", "knowledge_base", "sealed"]
FILTERED = ["knowledge_base", "generation", "document", "version"]
OBJECTS_PER_BATCH = 200
WAKING_SECONDS = 5.0


class WeaviateStore:
    """Satisfies ``knowledge.stores.base.Store``. Safe across threads; connects anew after a fork."""

    name: ClassVar[str] = "weaviate"
    own: ClassVar[bool] = False
    erasure: ClassVar[str] = (
        "Weaviate was given no readable text: passages lie in it encrypted, words as keyed hashes. It drops what was "
        "deleted, the numbers of vectors included, when it merges its files."
    )

    def __init__(
        self, url: str, *, secret: str, grpc_port: int | None = None, grpc_url: str | None = None,
        api_key: str | None = None, query_seconds: float = 5.0,
    ) -> None:  # fmt: skip
        """Remember where the server is; connect on first use.

        ``secret`` is the installation's own: what was written under another one cannot be read.
        ``grpc_url`` (``grpc://`` or ``grpcs://``) is for servers whose gRPC lives on another host;
        otherwise it is the host of ``url`` and ``grpc_port`` (50051).
        """
        self._http = address(url)
        grpc = address(grpc_url) if grpc_url else (self._http[0], grpc_port or 50051, self._http[2])
        self._grpc = (grpc[0], grpc_port or grpc[1], grpc[2])
        if self._http[:2] == self._grpc[:2]:
            raise StoreUnavailable("Weaviate's HTTP and gRPC need two ports.")
        self._api_key = api_key
        self._seal = Seal(secret)
        self._query_seconds = query_seconds
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._client: Any = None
        self._known: set[str] = set()
        self._guard = threading.Lock()

    # --- writing

    def upsert(self, records: Sequence[IndexRecord], *, space: str, scope: Scope) -> int:
        accepted = checked_records(records, scope=scope)
        if not accepted:
            return 0

        def write(tenant: Any) -> int:
            for batch in batches(accepted, OBJECTS_PER_BATCH):
                result = tenant.data.insert_many([self._to_object(record, scope.tenant) for record in batch])
                if result.errors:  # has_errors has been False with errors present (client issue 2107)
                    messages = {error.message for error in result.errors.values()}
                    raise refusal(" ".join(sorted(messages)))
            return sum(
                total(tenant, _by_id([record.key for record in batch]))
                for batch in batches(accepted, OBJECTS_PER_BATCH)
            )

        with _translated():
            self._create(space)
            return self._awake(space, scope.tenant, write)

    def delete(
        self, *, space: str, scope: Scope, versions: Collection[str] | None = None, keys: Collection[str] | None = None,
        generation: str | None = None,
    ) -> int:  # fmt: skip
        if scope.is_empty or (versions is not None and not versions) or (keys is not None and not keys):
            return 0
        where = _scope_filter(scope)
        if versions is not None:
            where = where & _among("version", versions)
        if generation is not None:
            where = where & _among("generation", [generation])
        parts = [where] if keys is None else [where & _by_id(part) for part in batches(checked_ids(keys), 1_000)]

        def remove(tenant: Any) -> int:
            self._activate(space, scope.tenant)
            return sum(delete_counted(tenant, part) for part in parts)

        return self._with_tenant(space, scope.tenant, remove, missing=0)

    def delete_tenant(self, *, tenant: str, space: str | None = None) -> None:
        for name in self.spaces(tenant=tenant) if space is None else [space]:
            with _translated():
                tenants = self._collection(name).tenants
                tenants.remove([tenant])
                if tenants.exists(tenant):
                    raise StoreError("The tenant is still in the search index after its deletion.")

    def optimize(self, *, space: str, tenant: str) -> None:
        """Check the arguments only: the server has no order for it, and what it keeps is sealed."""
        checked_space(space)
        checked_id(tenant)

    def unpurged(self, *, space: str, tenant: str) -> bool:
        return False  # sealed

    # --- reading

    def search_vector(
        self, vector: Vector, *, space: str, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        if scope.is_empty or not generations or limit < 1:
            return []
        where = _scope_filter(scope) & _among("generation", generations)
        query = np.asarray(vector, dtype=np.float32)

        def search(tenant: Any) -> list[Hit]:
            found = tenant.query.near_vector(
                query.tolist(), limit=limit, filters=where, return_properties=PROPERTIES, return_metadata=["distance"]
            )  # fmt: skip
            return [self._hit(item, scope, score=1.0 - item.metadata.distance) for item in found.objects]

        return self._with_tenant(space, scope.tenant, search, missing=[])

    def search_keyword(
        self, terms: Sequence[str], *, space: str, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        wanted = list(dict.fromkeys(term for term in terms if term and not term.isspace()))
        if scope.is_empty or not generations or not wanted or limit < 1:
            return []
        where = _scope_filter(scope) & _among("generation", generations)

        def search(tenant: Any) -> list[Hit]:
            found = tenant.query.bm25(
                self._seal.words(wanted, tenant=scope.tenant), query_properties=["words"], limit=limit, filters=where,
                include_vector=True, return_properties=PROPERTIES, return_metadata=["score"],
            )  # fmt: skip
            return [self._hit(item, scope, score=item.metadata.score) for item in found.objects]

        return self._with_tenant(space, scope.tenant, search, missing=[])

    def in_memory(self, *, space: str, scope: Scope) -> bool:
        return False  # the server's two searches run beside each other

    def fetch(self, keys: Collection[str], *, space: str, scope: Scope) -> list[Hit]:
        if scope.is_empty or not keys:
            return []
        scope_filter = _scope_filter(scope)
        parts = [(scope_filter & _by_id(part), len(part)) for part in batches(checked_ids(keys), 1_000)]

        def read(tenant: Any) -> list[Hit]:
            hits: list[Hit] = []
            for where, size in parts:
                found = tenant.query.fetch_objects(
                    filters=where, limit=size, include_vector=True, return_properties=PROPERTIES
                )
                hits += [self._hit(item, scope, score=0.0) for item in found.objects]
            return hits

        return self._with_tenant(space, scope.tenant, read, missing=[])

    def count(self, *, space: str, scope: Scope, version: str | None = None, generation: str | None = None) -> int:
        if scope.is_empty:
            return 0
        where = _scope_filter(scope)
        for column, value in (("version", version), ("generation", generation)):
            if value is not None:
                where = where & _among(column, [value])
        return self._with_tenant(space, scope.tenant, lambda tenant: total(tenant, where), missing=0)

    def keys(
        self, *, space: str, scope: Scope, generation: str | None = None
    ) -> Iterator[tuple[str, str, str]]:  # fmt: skip
        if scope.is_empty:
            return iter(())
        checked_ids(scope.knowledge_bases)
        missing: list[tuple[str, str, str]] = []
        found = lambda tenant: list(walk(tenant, scope, generation))  # noqa: E731
        return iter(self._with_tenant(space, scope.tenant, found, missing=missing))

    def records(
        self, *, space: str, scope: Scope, keys: Collection[str] | None = None
    ) -> Iterator[IndexRecord]:  # fmt: skip
        wanted = [key for key, *_ in self.keys(space=space, scope=scope)] if keys is None else checked_ids(keys)
        if scope.is_empty or not wanted:
            return iter(())
        where = _scope_filter(scope)

        def read(batch: list[str], tenant: Any) -> list[IndexRecord]:
            found = tenant.query.fetch_objects(
                filters=where & _by_id(batch), limit=len(batch), include_vector=True,
                return_properties=[*PROPERTIES, "generation", "ordinal"],
            )  # fmt: skip
            return [self._record(item, scope.tenant) for item in found.objects]

        missing: list[IndexRecord] = []
        return (
            record
            for batch in batches(wanted, OBJECTS_PER_BATCH)
            for record in self._with_tenant(space, scope.tenant, partial(read, batch), missing=missing)
        )

    # --- the rest of the contract

    def needs_upkeep(self, *, space: str, tenant: str) -> bool:
        return False  # the server looks after its files itself, and takes no orders

    def facts(self, *, space: str, tenant: str) -> StoreFacts | None:
        """What the server tells: how many objects, and the tenant's state. Sizes it tells nobody but its metrics."""
        checked_id(tenant)
        try:
            with _translated():
                state = self._state(space, tenant)
                if state != "active":
                    return StoreFacts(rows=None, state=state)
                return StoreFacts(rows=total(self._tenant(space, tenant), None), state=state)
        except Missing:
            return None

    def _all_spaces(self) -> list[str]:
        names = self._connected().collections.list_all(simple=True)
        return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]

    def tenants(self) -> list[str]:
        with _translated():
            return sorted({name for space in self._all_spaces() for name in self._collection(space).tenants.get()})

    def spaces(self, *, tenant: str) -> list[str]:
        checked_id(tenant)
        with _translated():
            return sorted(space for space in self._all_spaces() if self._collection(space).tenants.exists(tenant))

    def bases(self, *, space: str, tenant: str) -> list[str]:
        def read(handle: Any) -> list[str]:
            # A walk: grouping on the server stops at 100 groups and at the time limit of a query.
            found = handle.iterator(return_properties=["knowledge_base"])
            return sorted({item.properties["knowledge_base"] for item in found})

        return self._with_tenant(space, tenant, read, missing=[])

    def health(self) -> StoreHealth:
        """Ask for the version only: listing shards fails with one inactive tenant (server issue 12764)."""
        try:
            with _translated():
                version = str(self._connected().get_meta()["version"])
        except StoreError as err:
            return StoreHealth(name=self.name, version="", ok=False, detail=err.message)
        numbers = tuple(int(part) for part in version.split(".")[:2])
        detail = ""
        if numbers < OLDEST:
            detail = f"Weaviate {version} is too old; {OLDEST[0]}.{OLDEST[1]} or newer is needed."
        elif numbers >= TOO_NEW:
            detail = (
                f"Weaviate {version} is newer than this release knows; one below {TOO_NEW[0]}.{TOO_NEW[1]} is needed."
            )
        return StoreHealth(name=self.name, version=version, ok=not detail, detail=detail)

    def warm_up(self) -> None:
        _library()

    def close(self) -> None:
        with self._guard:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # --- records as objects

    def _to_object(self, record: IndexRecord, tenant: str) -> Any:
        from weaviate.classes.data import DataObject

        properties = {
            **{name: getattr(record, name) for name in (*FILTERED, "ordinal")},
            "words": self._seal.words(record.terms.split(" "), tenant=tenant),
            "sealed": self._seal.close(record.text, record.terms, tenant=tenant, key=record.key),
        }
        return DataObject(uuid=record.key, properties=properties, vector=np.asarray(record.vector, np.float32).tolist())

    def _record(self, item: Any, tenant: str) -> IndexRecord:
        key, values = str(item.uuid), item.properties
        text, terms = self._seal.open(values["sealed"], tenant=tenant, key=key)
        return IndexRecord(
            key=key, text=text, terms=terms, ordinal=int(values["ordinal"]),
            vector=np.asarray(item.vector["default"], dtype=np.float32),
            **{name: values[name] for name in FILTERED},
        )  # fmt: skip

    def _hit(self, item: Any, scope: Scope, *, score: float) -> Hit:
        vector = item.vector.get("default")
        key, values = str(item.uuid), item.properties
        text, terms = self._seal.open(values["sealed"], tenant=scope.tenant, key=key)
        return Hit(
            key=key, document=values["document"], version=values["version"], knowledge_base=values["knowledge_base"],
            text=text, terms=terms, score=float(score),
            vector=None if vector is None else np.asarray(vector, dtype=np.float32),
        )  # fmt: skip

    # --- connection, collection, tenant

    def _connected(self) -> Any:
        if self._pid != os.getpid():
            self._forget()
        with self._guard:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        weaviate = _library()
        from weaviate.classes.init import AdditionalConfig, Auth, Timeout

        return weaviate.connect_to_custom(
            http_host=self._http[0], http_port=self._http[1], http_secure=self._http[2],
            grpc_host=self._grpc[0], grpc_port=self._grpc[1], grpc_secure=self._grpc[2],
            auth_credentials=Auth.api_key(self._api_key) if self._api_key else None,
            additional_config=AdditionalConfig(timeout=Timeout(init=5, query=self._query_seconds, insert=60)),
            skip_init_checks=True,  # they would ask a package registry for newer clients
        )  # fmt: skip

    def _collection(self, space: str) -> Any:
        return self._connected().collections.use(PREFIX + checked_space(space))

    def _tenant(self, space: str, tenant: str) -> Any:
        return self._collection(space).with_tenant(checked_id(tenant))

    def _with_tenant(self, space: str, tenant: str, use: Callable[[Any], T], *, missing: T) -> T:
        try:
            return self._awake(space, tenant, use)
        except Missing:
            return missing

    def _awake(self, space: str, tenant: str, use: Callable[[Any], T]) -> T:
        """Use the tenant; one that sleeps is woken for it, whether or not the collection does that by itself."""
        try:
            with _translated():
                return use(self._tenant(space, tenant))
        except Asleep:
            logger.info("waking up a tenant of the search index: space=%s tenant=%s", space, tenant)
        with _translated():
            self._activate(space, tenant)
            return use(self._tenant(space, tenant))

    def _state(self, space: str, tenant: str) -> str:
        found = self._collection(space).tenants.get_by_name(tenant)
        if found is None:
            raise Missing
        return str(found.activity_status.value).lower()

    def _activate(self, space: str, tenant: str) -> None:
        """Wake a tenant up: deleting from a cold one fails although waking is automatic (server issue 12953).

        :raises StoreBusy: it is still being brought back from where it was offloaded to.
        """
        from weaviate.classes.tenants import Tenant, TenantActivityStatus

        if self._state(space, tenant) == "active":
            return
        order = Tenant(name=tenant, activity_status=TenantActivityStatus.ACTIVE)
        self._collection(space).tenants.update([order])
        deadline = time.monotonic() + WAKING_SECONDS
        while self._state(space, tenant) != "active":
            if time.monotonic() > deadline:
                raise StoreBusy("These documents are being brought back into the search index. Try again in a minute.")
            time.sleep(0.1)

    def _create(self, space: str) -> None:
        if space in self._known:
            return
        from weaviate.exceptions import UnexpectedStatusCodeError

        collections = self._connected().collections
        name = PREFIX + checked_space(space)
        if not collections.exists(name):
            try:
                collections.create(name, **_definition())
            except UnexpectedStatusCodeError:
                if not collections.exists(name):  # made by another process just now
                    raise
        self._known.add(space)


_importing = threading.Lock()


def _library() -> Any:
    with _importing:
        if "weaviate" not in sys.modules:
            # Recorded and dropped: one of its dependencies complains about itself, whatever filters say.
            with warnings.catch_warnings(record=True):
                importlib.import_module("weaviate")
    return sys.modules["weaviate"]


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the client's errors into ours.

    :raises StoreUnavailable: the server cannot be reached or is too slow.
    """
    _library()
    import httpx
    from weaviate import exceptions

    unreachable = (
        exceptions.WeaviateConnectionError, exceptions.WeaviateGRPCUnavailableError, exceptions.WeaviateTimeoutError,
        exceptions.WeaviateStartUpError, exceptions.WeaviateClosedClientError, exceptions.WeaviateRetryError,
        httpx.TransportError, ConnectionError, TimeoutError,
    )  # fmt: skip
    try:
        yield
    except unreachable as err:
        raise StoreUnavailable() from err
    except exceptions.WeaviateBaseError as err:
        raise refusal(str(err)) from err


def _definition() -> dict[str, Any]:
    from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization, VectorDistances

    filtered = [
        Property(name=name, data_type=DataType.TEXT, tokenization=Tokenization.FIELD, index_filterable=True,
                 index_searchable=False)
        for name in FILTERED
    ]  # fmt: skip
    return {
        "multi_tenancy_config": Configure.multi_tenancy(
            enabled=True, auto_tenant_creation=True, auto_tenant_activation=True
        ),
        # Analysed by us: nothing may be dropped here.
        "inverted_index_config": Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        "vector_config": Configure.Vectors.self_provided(
            # Filtered searches over fewer than 40,000 records are exact (flat_search_cutoff).
            vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
        ),
        "properties": [
            *filtered,
            Property(name="ordinal", data_type=DataType.INT, index_filterable=False),
            Property(name="sealed", data_type=DataType.TEXT, index_filterable=False, index_searchable=False),
            Property(name="words", data_type=DataType.TEXT, tokenization=Tokenization.WHITESPACE,
                     index_filterable=False, index_searchable=True),
        ],
    }  # fmt: skip


def _among(name: str, values: Collection[str]) -> Any:
    from weaviate.classes.query import Filter

    return Filter.by_property(name).contains_any(checked_ids(values))


def _none_of(name: str, values: Collection[str]) -> Any:
    from weaviate.classes.query import Filter

    return Filter.by_property(name).contains_none(checked_ids(values))


def _by_id(keys: Collection[str]) -> Any:
    from weaviate.classes.query import Filter

    return Filter.by_id().contains_any(checked_ids(keys))


def _scope_filter(scope: Scope) -> Any:
    _library()
    where = _among("knowledge_base", scope.knowledge_bases)
    if scope.documents is not None:
        where &= _among("document", scope.documents)
    return where & _none_of("document", scope.without) if scope.without else where
