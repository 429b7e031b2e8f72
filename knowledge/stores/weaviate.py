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
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import numpy as np

from knowledge.errors import StoreBusy, StoreError, StoreUnavailable
from knowledge.stores.common import batches, checked_id, checked_ids, checked_records, checked_space
from knowledge.stores.sealing import Seal
from knowledge.types import Hit, IndexRecord, Scope, StoreHealth, Vector

__all__ = ["WeaviateStore"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST = (1, 36)
PREFIX = "Sealed_"
PROPERTIES = ["document", "version", "knowledge_base", "sealed"]
FILTERED = ["knowledge_base", "generation", "document", "version"]
OBJECTS_PER_BATCH = 200
DELETE_ROUNDS = 1_000


class WeaviateStore:
    """Satisfies ``knowledge.stores.base.Store``. Safe across threads; connects anew after a fork."""

    name: ClassVar[str] = "weaviate"

    def __init__(
        self, url: str, *, secret: str, grpc_port: int | None = None, grpc_url: str | None = None,
        api_key: str | None = None, query_seconds: float = 5.0,
    ) -> None:  # fmt: skip
        """Remember where the server is; connect on first use.

        ``secret`` is the installation's own: what was written under another one cannot be read.
        ``grpc_url`` (``grpc://`` or ``grpcs://``) is for servers whose gRPC lives on another host;
        otherwise it is the host of ``url`` and ``grpc_port`` (50051).
        """
        self._http = _address(url)
        grpc = _address(grpc_url) if grpc_url else (self._http[0], grpc_port or 50051, self._http[2])
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
        with _translated():
            self._create(space)
            tenant = self._tenant(space, scope.tenant)
            for batch in batches(accepted, OBJECTS_PER_BATCH):
                result = tenant.data.insert_many([self._to_object(record, scope.tenant) for record in batch])
                if result.errors:  # has_errors has been False with errors present (client issue 2107)
                    messages = {error.message for error in result.errors.values()}
                    raise _refusal(" ".join(sorted(messages)))
            return sum(
                _total(tenant, _by_id([record.key for record in batch]))
                for batch in batches(accepted, OBJECTS_PER_BATCH)
            )

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
            return sum(_delete_counted(tenant, part) for part in parts)

        return self._with_tenant(space, scope.tenant, remove, missing=0)

    def delete_tenant(self, *, tenant: str) -> None:
        for space in self.spaces(tenant=tenant):
            with _translated():
                tenants = self._collection(space).tenants
                tenants.remove([tenant])
                if tenants.exists(tenant):
                    raise StoreError("The tenant is still in the search index after its deletion.")

    def optimize(self, *, space: str, tenant: str) -> None:
        """Check the arguments only: the server has no order for it, and what it keeps is sealed."""
        checked_space(space)
        checked_id(tenant)

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
        return self._with_tenant(space, scope.tenant, lambda tenant: _total(tenant, where), missing=0)

    def keys(
        self, *, space: str, scope: Scope, generation: str | None = None
    ) -> Iterator[tuple[str, str, str]]:  # fmt: skip
        if scope.is_empty:
            return iter(())
        checked_ids(scope.knowledge_bases)
        missing: list[tuple[str, str, str]] = []
        walk = lambda tenant: list(_walk(tenant, scope, generation))  # noqa: E731
        return iter(self._with_tenant(space, scope.tenant, walk, missing=missing))

    # --- the rest of the contract

    def spaces(self, *, tenant: str) -> list[str]:
        checked_id(tenant)
        with _translated():
            names = [name for name in self._connected().collections.list_all(simple=True) if name.startswith(PREFIX)]
            spaces = [name.removeprefix(PREFIX) for name in names]
            return sorted(space for space in spaces if self._collection(space).tenants.exists(tenant))

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
        detail = (
            "" if numbers >= OLDEST else f"Weaviate {version} is too old; {OLDEST[0]}.{OLDEST[1]} or newer is needed."
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
            with _translated():
                return use(self._tenant(space, tenant))
        except _Missing:
            return missing

    def _activate(self, space: str, tenant: str) -> None:
        """Wake a tenant up: deleting from a cold one fails although waking is automatic (server issue 12953)."""
        from weaviate.classes.tenants import Tenant, TenantActivityStatus

        tenants = self._collection(space).tenants
        found = tenants.get_by_name(tenant)
        if found is None:
            raise _Missing
        if found.activity_status != TenantActivityStatus.ACTIVE:
            tenants.update([Tenant(name=tenant, activity_status=TenantActivityStatus.ACTIVE)])

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


class _Missing(StoreError):
    """The collection or the tenant does not exist yet; never leaves this file."""


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
        raise _refusal(str(err)) from err


def _refusal(message: str) -> StoreError:
    """Choose the error for what the server said; its words may hold document text and are not passed on."""
    said = message.lower()
    if "tenant not found" in said or "could not find class" in said or "class not found" in said:
        return _Missing()
    if "unavailable" in said or "deadline exceeded" in said or "connection refused" in said:
        return StoreUnavailable()
    if "read-only" in said or "too many" in said or "429" in said:
        return StoreBusy("The search index takes no writes at the moment.")
    logger.warning("weaviate refused a request")
    return StoreError()


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


def _address(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    secure = parts.scheme in {"https", "grpcs"}
    if not parts.hostname:
        raise StoreUnavailable("The address of the Weaviate server is not a URL.")
    return parts.hostname, parts.port or (443 if secure else 80), secure


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


def _total(tenant: Any, where: Any) -> int:
    return int(tenant.aggregate.over_all(filters=where, total_count=True).total_count or 0)


def _delete_counted(tenant: Any, where: Any) -> int:
    before = left = _total(tenant, where)
    for _ in range(DELETE_ROUNDS):  # one call deletes at most 10,000 objects (QUERY_MAXIMUM_RESULTS)
        if not left:
            return before
        tenant.data.delete_many(where=where)
        still, left = left, _total(tenant, where)
        if still == left:
            break
    raise StoreError(f"{left} of {before} records are still in the search index after their deletion.")


def _walk(tenant: Any, scope: Scope, generation: str | None) -> Iterator[tuple[str, str, str]]:
    """Read the whole tenant: the server's cursor takes no filter."""
    for item in tenant.iterator(return_properties=["knowledge_base", "document", "version", "generation"]):
        values = item.properties
        inside = scope.includes(knowledge_base=values["knowledge_base"], document=values["document"])
        if inside and generation in (None, values["generation"]):
            yield str(item.uuid), values["document"], values["version"]
