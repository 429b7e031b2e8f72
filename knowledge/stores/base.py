"""What a vector store plug-in is. One contract suite (tests/contracts/) runs against every one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, Protocol

from knowledge.types import Hit, IndexRecord, Scope, StoreFacts, StoreHealth, Vector


class Store(Protocol):
    """Holds chunks with vectors and analysed terms, walled by tenant.

    ``space`` names the embedding space (``EmbeddingSpec.space``): one table or collection each.
    ``generations`` names the live index generations; records of others are never returned.
    Every call takes a ``scope``; an empty one reads nothing and deletes nothing.
    Errors: ``StoreBusy`` (retry), ``StoreUnavailable``, ``StoreError``.
    """

    name: ClassVar[str]
    erasure: ClassVar[str]
    """In a sentence, how deleted text leaves its files."""
    own: ClassVar[bool]
    """Whether nobody but this installation keeps anything there."""

    def upsert(self, records: Sequence[IndexRecord], *, space: str, scope: Scope) -> int:
        """Write records by key (same key overwrites) and return how many the store now holds of them.

        :raises StoreError: a record lies outside the scope, or a vector is not finite.
        """
        ...

    def search_vector(
        self, vector: Vector, *, space: str, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        """The nearest records by cosine, best first. A space that does not exist yet gives []."""
        ...

    def search_keyword(
        self, terms: Sequence[str], *, space: str, generations: Collection[str], limit: int, scope: Scope
    ) -> list[Hit]:
        """The best records by the engine's BM25 over ``IndexRecord.terms``; any term may match."""
        ...

    def in_memory(self, *, space: str, scope: Scope) -> bool:
        """Whether a search takes well under a millisecond here, so that a second thread for it would cost more."""
        ...

    def fetch(self, keys: Collection[str], *, space: str, scope: Scope) -> list[Hit]:
        """Records by key with their vectors, unordered, score 0; unknown keys are left out."""
        ...

    def count(self, *, space: str, scope: Scope, version: str | None = None, generation: str | None = None) -> int:
        """How many records lie in the scope (and version, and generation)."""
        ...

    def keys(
        self, *, space: str, scope: Scope, generation: str | None = None
    ) -> Iterator[tuple[str, str, str]]:  # fmt: skip
        """Every ``(key, document, version)`` in the scope (and generation), for reconciliation."""
        ...

    def records(self, *, space: str, scope: Scope, keys: Collection[str] | None = None) -> Iterator[IndexRecord]:
        """Every record in the scope, whole, or those of the keys, unordered; read in batches as they are taken.

        What is written or deleted meanwhile may or may not be among them.
        """
        ...

    def delete(
        self, *, space: str, scope: Scope, versions: Collection[str] | None = None, keys: Collection[str] | None = None,
        generation: str | None = None,
    ) -> int:  # fmt: skip
        """Delete what lies in the scope (narrowed to versions, keys, a generation); return how many were there.

        :raises StoreError: something of it is still there afterwards.
        """
        ...

    def delete_tenant(self, *, tenant: str, space: str | None = None) -> None:
        """Remove everything of a tenant, its folder or native tenant included; with a space, its table there alone."""
        ...

    def optimize(self, *, space: str, tenant: str) -> None:
        """Compact, fold new rows into the indexes, and remove deleted text from the disk."""
        ...

    def needs_upkeep(self, *, space: str, tenant: str) -> bool:
        """Whether ``optimize`` has something to do; cheap, and asked often."""
        ...

    def facts(self, *, space: str, tenant: str) -> StoreFacts | None:
        """Measure what the tenant has there; None when that is nothing. Wakes no sleeping tenant."""
        ...

    def unpurged(self, *, space: str, tenant: str) -> bool:
        """Whether files may hold text of deleted records until ``optimize`` rewrites them."""
        ...

    def tenants(self) -> list[str]:
        """The tenants of which anything is here, sorted. For reconciliation: some may have no row any more."""
        ...

    def spaces(self, *, tenant: str) -> list[str]:
        """The spaces in which this tenant has a table or collection."""
        ...

    def bases(self, *, space: str, tenant: str) -> list[str]:
        """The knowledge bases of which this tenant holds records in the space, sorted.

        For reconciliation only: it is the one way to find what a base that is gone has left.
        """
        ...

    def health(self) -> StoreHealth:
        """Say quickly whether the engine works; probes call this every second."""
        ...

    def warm_up(self) -> None:
        """Load the library that the first search would wait for."""
        ...

    def close(self) -> None: ...
