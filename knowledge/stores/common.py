"""Checks every store makes before it touches its engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np

from knowledge.errors import StoreError
from knowledge.types import IndexRecord, Scope

T = TypeVar("T")

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SPACE = re.compile(r"[a-z0-9_]{1,64}")


def checked_id(value: str) -> str:
    """Return the value if it is a UUID in canonical form; anything else may carry a filter expression.

    :raises StoreError: it is not.
    """
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise StoreError("An identifier given to the search index is not a UUID.")
    return value


def checked_ids(values: Collection[str]) -> list[str]:
    """Return the distinct values in a stable order, each checked."""
    return sorted({checked_id(value) for value in values})


def checked_space(value: str) -> str:
    """Return the value if it can name a table, a collection and a file.

    :raises StoreError: it cannot.
    """
    if not _SPACE.fullmatch(value):
        raise StoreError("The name of an embedding space may hold only a-z, 0-9 and underscores.")
    return value


def checked_records(records: Sequence[IndexRecord], *, scope: Scope) -> list[IndexRecord]:
    """Return the records to write, the last of each key.

    :raises StoreError: a record lies outside the scope, an id is malformed or a vector is unusable.
    """
    checked_id(scope.tenant)
    distinct = {record.key: record for record in records}
    for record in distinct.values():
        for value in (record.key, record.generation, record.version, record.knowledge_base, record.document):
            checked_id(value)
        if record.knowledge_base not in scope.knowledge_bases:
            raise StoreError("A record belongs to a knowledge base outside the scope.")
        if scope.documents is not None and record.document not in scope.documents:
            raise StoreError("A record belongs to a document outside the scope.")
    _check_vectors(list(distinct.values()))
    return list(distinct.values())


def _check_vectors(records: Sequence[IndexRecord]) -> None:
    if len({np.shape(record.vector) for record in records}) > 1 or any(np.ndim(r.vector) != 1 for r in records):
        raise StoreError("The vectors of one write must have one dimension.")
    if records and not np.isfinite(np.stack([record.vector for record in records])).all():
        raise StoreError("A vector is not finite.")


def batches(values: Sequence[T], size: int) -> Iterator[list[T]]:
    """Cut a sequence into lists of at most ``size``."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
