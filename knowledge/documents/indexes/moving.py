"""Copies an index from one store to another without embedding anything, while the product goes on serving.

What has been copied is what the target holds: a run that was killed goes on where it ended. Rounds of comparing whole
records follow until one finds no difference, so what changed meanwhile is caught up.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from knowledge.documents.models import Chunk, Document, IndexGeneration, KnowledgeBase
from knowledge.errors import IndexMismatch
from knowledge.stores.base import Store
from knowledge.stores.common import batches
from knowledge.tenants.models import Tenant
from knowledge.types import IndexRecord, Scope

__all__ = ["BATCH", "Part", "forget", "move", "verify"]

BATCH = 2_000
"""Records that are read and written at a time."""

ROUNDS = 10
RESTLESS = (
    "The documents of {tenant} change faster than they are copied. Run this again at a quieter time, or stop the "
    "workers meanwhile."
)

STALE = (
    "The store to copy from lacks {count:,} live passages that the other one holds, so Footnote uses that one already. "
    "Nothing was removed. Name the other direction, or run `manage.py reconcile` where passages are missing."
)

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Part:
    """One knowledge base in one space, and what was done to its copy."""

    space: str
    scope: Scope
    copied: int = 0  # records that the target lacked
    renewed: int = 0  # that it held with other content
    removed: int = 0  # that only it held
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)  # by generation, "" for all: source, target

    @property
    def base(self) -> str:
        (base,) = self.scope.knowledge_bases
        return base

    @property
    def agrees(self) -> bool:
        return bool(self.counts) and all(one == other for one, other in self.counts.values())


def move(tenant: Tenant, *, source: Store, target: Store, say: Say, batch: int = BATCH) -> list[Part]:
    """Make the target hold what the source holds of the tenant, and prove it by counts.

    :raises IndexMismatch: the documents change too fast for that.
    """
    done: dict[tuple[str, str], Part] = {}
    for number in range(ROUNDS):
        changed = 0
        for part in _parts(tenant, source, target, done):
            before = part.copied + part.renewed + part.removed
            _copy_missing(part, source, target, say, batch)
            if number:  # what was copied just now need not be read again at once
                _renew(part, source, target, batch)
            changed += part.copied + part.renewed + part.removed - before
        if number and not changed and all(part.agrees for part in verify(tenant, source=source, target=target)):
            break
    else:
        raise IndexMismatch(RESTLESS.format(tenant=tenant.slug))
    for space in target.spaces(tenant=str(tenant.pk)):
        target.optimize(space=space, tenant=str(tenant.pk))
    for part in done.values():
        _count(part, source, target)
    return list(done.values())


def verify(tenant: Tenant, *, source: Store, target: Store) -> list[Part]:
    """Count on both sides, by space, knowledge base and generation; change nothing."""
    found = list(_parts(tenant, source, target, {}))
    for part in found:
        _count(part, source, target)
    return found


def forget(tenant: Tenant, *, source: Store) -> int:
    """Remove everything of the tenant from the source and return how many records that were.

    :raises IndexMismatch: something is still there.
    """
    name, records = str(tenant.pk), 0
    for space in source.spaces(tenant=name):
        for base in source.bases(space=space, tenant=name):
            records += source.count(space=space, scope=_scope(tenant, base))
    source.delete_tenant(tenant=name)
    if source.spaces(tenant=name):
        raise IndexMismatch("The old store still holds something of it.")
    return records


def _parts(tenant: Tenant, source: Store, target: Store, known: dict[tuple[str, str], Part]) -> Iterator[Part]:
    """Yield every base of every space that either store has, adding new ones to the known."""
    name = str(tenant.pk)
    for space in sorted({*source.spaces(tenant=name), *target.spaces(tenant=name)}):
        held = {*source.bases(space=space, tenant=name), *target.bases(space=space, tenant=name)}
        for base in sorted(held):
            yield known.setdefault((space, base), Part(space=space, scope=_scope(tenant, base)))


def _scope(tenant: Tenant, base: str) -> Scope:
    return Scope(tenant=str(tenant.pk), knowledge_bases=frozenset({base}))


def _copy_missing(part: Part, source: Store, target: Store, say: Say, batch: int) -> None:
    """Copy the records whose keys the target lacks, and remove those that the source lacks."""
    theirs = _keys(part, source)  # first: what is written meanwhile is then missing, and found next time
    ours = _keys(part, target)
    extra = sorted(ours - theirs)
    if extra:
        _check_stale(part, extra)
        part.removed += target.delete(space=part.space, scope=part.scope, keys=extra)
    missing = sorted(theirs - ours)
    for keys in batches(missing, batch):
        records = list(source.records(space=part.space, scope=part.scope, keys=keys))
        if records:
            target.upsert(records, space=part.space, scope=part.scope)
        part.copied += len(records)
        say(f"{part.space}: {len(theirs) - len(missing) + part.copied:,} of {len(theirs):,} passages")


def _check_stale(part: Part, extra: list[str]) -> None:
    """Refuse to take away what the rows say is live: then the target is in use, and the source is an old copy.

    :raises IndexMismatch: so it is.
    """
    live = Chunk.objects.filter(
        version__in=Document.objects.alive().filter(knowledge_base=uuid.UUID(part.base)).values("current_version"),
        generation__in=KnowledgeBase.objects.filter(pk=part.base).values("live_generation"),
    )
    lacking = sum(live.filter(pk__in=keys).count() for keys in batches(extra, 500))
    if lacking:
        raise IndexMismatch(STALE.format(count=lacking))


def _renew(part: Part, source: Store, target: Store, batch: int) -> None:
    """Write again the records that differ: a document that gets another title keeps its keys."""
    for keys in batches(sorted(_keys(part, source)), batch):
        held = {record.key: record for record in target.records(space=part.space, scope=part.scope, keys=keys)}
        read = source.records(space=part.space, scope=part.scope, keys=keys)
        other = [record for record in read if not _same(record, held.get(record.key))]
        if other:
            target.upsert(other, space=part.space, scope=part.scope)
        part.renewed += len(other)


def _same(record: IndexRecord, held: IndexRecord | None) -> bool:
    if held is None:
        return False
    names = ("knowledge_base", "generation", "document", "version", "ordinal", "text", "terms")
    if any(getattr(record, name) != getattr(held, name) for name in names):
        return False
    return bool(np.allclose(record.vector, held.vector, atol=1e-5))


def _keys(part: Part, store: Store) -> set[str]:
    return {key for key, *_ in store.keys(space=part.space, scope=part.scope)}


def _count(part: Part, source: Store, target: Store) -> None:
    part.counts = {}
    rows = IndexGeneration.objects.filter(knowledge_base_id=uuid.UUID(part.base), space=part.space)
    for generation in [None, *(str(pk) for pk in rows.values_list("pk", flat=True))]:
        where = {"space": part.space, "scope": part.scope, "generation": generation}
        part.counts[generation or ""] = (source.count(**where), target.count(**where))  # type: ignore[arg-type]
