"""What is asked of a tenant of Weaviate through the client's own objects, without its library."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from knowledge.errors import IndexDiskFull, StoreBusy, StoreError, StoreUnavailable
from knowledge.types import Scope

__all__ = ["Asleep", "Missing", "address", "delete_counted", "refusal", "total", "walk"]

logger = logging.getLogger(__name__)

DELETE_ROUNDS = 1_000


class Missing(StoreError):
    """The collection or the tenant does not exist yet; never leaves the store."""


class Asleep(StoreError):
    """The tenant is not active; never leaves the store."""


def refusal(message: str) -> StoreError:
    """Choose the error for what the server said; its words may hold document text and are not passed on."""
    said = message.lower()
    if "tenant not found" in said or "could not find class" in said or "class not found" in said:
        return Missing()
    if "tenant not active" in said:
        return Asleep()
    if "unavailable" in said or "deadline exceeded" in said or "connection refused" in said:
        return StoreUnavailable()
    if "read-only" in said:
        return IndexDiskFull()
    if "too many" in said or "429" in said:
        return StoreBusy("The search index takes no writes at the moment.")
    logger.warning("weaviate refused a request")
    return StoreError()


def address(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    secure = parts.scheme in {"https", "grpcs"}
    if not parts.hostname:
        raise StoreUnavailable("The address of the Weaviate server is not a URL.")
    return parts.hostname, parts.port or (443 if secure else 80), secure


def total(tenant: Any, where: Any) -> int:
    return int(tenant.aggregate.over_all(filters=where, total_count=True).total_count or 0)


def delete_counted(tenant: Any, where: Any) -> int:
    """Delete until nothing is left and return how many there were.

    :raises StoreError: something is still there.
    """
    before = left = total(tenant, where)
    for _ in range(DELETE_ROUNDS):  # one call deletes at most 10,000 objects (QUERY_MAXIMUM_RESULTS)
        if not left:
            return before
        tenant.data.delete_many(where=where)
        still, left = left, total(tenant, where)
        if still == left:
            _delete_one(tenant, where)
            break
    raise StoreError(f"{left} of {before} records are still in the search index after their deletion.")


def _delete_one(tenant: Any, where: Any) -> None:
    """Delete one by its id, so that the server says what is wrong: many at once it leaves there without a word."""
    for item in tenant.query.fetch_objects(filters=where, limit=1, return_properties=[]).objects:
        tenant.data.delete_by_id(item.uuid)


def walk(tenant: Any, scope: Scope, generation: str | None) -> Iterator[tuple[str, str, str]]:
    """Read the whole tenant: the server's cursor takes no filter."""
    for item in tenant.iterator(return_properties=["knowledge_base", "document", "version", "generation"]):
        values = item.properties
        inside = scope.includes(knowledge_base=values["knowledge_base"], document=values["document"])
        if inside and generation in (None, values["generation"]):
            yield str(item.uuid), values["document"], values["version"]
