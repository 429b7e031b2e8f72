"""Put proposed rows into the draft of a dataset: each once, verified, with its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from chatapp.conversations.verifying import thresholds_of
from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingRow
from chatapp.finetuning.datasets.shapes import Proposal, SourceOf, kind_of
from chatapp.finetuning.datasets.verifying import verify
from knowledge.documents.models import Document
from knowledge.errors import KnowledgeError
from knowledge.stores.common import batches

__all__ = [
    "MOST_ROWS", "TOGETHER", "DatasetFull", "Prepared", "VersionFrozen", "hold_draft", "overwrite", "prepared",
    "propose", "store", "verified_flags",
]  # fmt: skip

MOST_ROWS = 20_000
"""Rows of a version: more are no longer reviewed by people, and checks would take minutes."""

TOGETHER = 50
"""Rows that are stored in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Rows to store with their sources, and how many proposals are ``known`` already."""

    rows: list[tuple[TrainingRow, tuple[SourceOf, ...]]]
    known: int


class VersionFrozen(KnowledgeError):
    code = "version_frozen"
    status = 409
    default_message = "This version is frozen and never changes. Open a new draft to go on."


class DatasetFull(KnowledgeError):
    code = "dataset_full"
    status = 422
    default_message = f"A dataset holds {MOST_ROWS:,} rows at most. Begin another one."


def hold_draft(version: DatasetVersion) -> None:
    """Lock a version inside a transaction.

    :raises VersionFrozen: it is no draft any more, or gone.
    """
    rows = DatasetVersion.objects.select_for_update(of=("self",)).filter(pk=version.pk)
    if not rows.filter(state=DatasetVersion.State.DRAFT).exists():
        raise VersionFrozen


def verified_flags(prompt: Any, completion: str, *, tenant_id: UUID) -> dict[str, list[str]]:
    """Return what keeps a row from approval by the checks of answers; nothing where it passes."""
    found = verify(prompt, completion, thresholds=thresholds_of(tenant_id).pair)
    return {} if found.passes else {"unverified": list(found.reasons)}


def propose(version: DatasetVersion, proposals: Sequence[Proposal]) -> Counter[str]:
    """Store rows that the version did not have before, and return what became of them (``store``).

    :raises VersionFrozen: it is no draft any more. :raises DatasetFull: it would hold too many rows.
    """
    counts: Counter[str] = Counter()
    for part in batches(list(proposals), TOGETHER):
        counts += store(version, prepared(version, part))
    return counts


def prepared(version: DatasetVersion, proposals: Sequence[Proposal]) -> Prepared:
    """Return rows as they are stored, verified. Outside a transaction: a verifier takes its time."""
    distinct = {each.key: each for each in proposals}
    known = _known(version, list(distinct))
    rows = [(_row(version, each), each.sources) for each in distinct.values() if each.key not in known]
    return Prepared(rows=rows, known=len(proposals) - len(rows))


def _known(version: DatasetVersion, keys: Sequence[str]) -> set[str]:
    rows = TrainingRow.objects.filter(version=version)
    return {
        *rows.filter(first_key__in=keys).values_list("first_key", flat=True),
        *rows.filter(key__in=keys).values_list("key", flat=True),
    }


def _row(version: DatasetVersion, proposal: Proposal) -> TrainingRow:
    tenant = version.dataset.tenant_id
    flags = {**proposal.flags, **verified_flags(proposal.prompt, proposal.completion, tenant_id=tenant)}
    return TrainingRow(
        version=version, key=proposal.key, first_key=proposal.key, origin=proposal.origin,
        kind=kind_of(proposal.prompt, proposal.completion), prompt=[dict(message) for message in proposal.prompt],
        completion=proposal.completion, flags=flags,
    )  # fmt: skip


@transaction.atomic
def store(version: DatasetVersion, given: Prepared) -> Counter[str]:
    """Store prepared rows; return how many were ``proposed``, ``known`` and ``gone`` (a document of theirs was deleted
    meanwhile), and of the proposed how many are ``unverified``.

    :raises VersionFrozen: it is no draft any more. :raises DatasetFull: it would hold too many rows.
    """
    hold_draft(version)
    refs = {source.document for _, sources in given.rows for source in sources if source.document is not None}
    # Locked, so that no deletion begins before these rows are there for it to find.
    alive = Document.objects.alive().filter(pk__in=refs, knowledge_base__deleting=False).order_by("pk")
    there = set(alive.select_for_update(of=("self",)).values_list("pk", flat=True))
    known = _known(version, [row.key for row, _ in given.rows])
    wanted = [each for each in given.rows if each[0].key not in known]
    kept = [each for each in wanted if all(s.document is None or s.document in there for s in each[1])]
    if TrainingRow.objects.filter(version=version).count() + len(kept) > MOST_ROWS:
        raise DatasetFull
    TrainingRow.objects.bulk_create([row for row, _ in kept])
    RowSource.objects.bulk_create([_source(row, source) for row, sources in kept for source in sources])
    return Counter(
        proposed=len(kept), unverified=sum("unverified" in row.flags for row, _ in kept),
        known=given.known + len(given.rows) - len(wanted), gone=len(wanted) - len(kept),
    )  # fmt: skip


def _source(row: TrainingRow, source: SourceOf) -> RowSource:
    return RowSource(
        row=row, role=source.role, document_id=source.document, document_ref=source.document, base_ref=source.base,
        version=source.version, start=source.start, end=source.end, title=source.title[:400], run_ref=source.run,
        case_ref=source.case[:100],
    )  # fmt: skip


def overwrite(rows: Sequence[TrainingRow], names: Sequence[str]) -> None:
    """Write fields of rows, of a draft that is held: thousands in the time that ``bulk_update`` takes for a hundred,
    and meanwhile nobody else writes."""
    fields: list[Any] = [TrainingRow._meta.get_field(name) for name in names]
    key: Any = TrainingRow._meta.pk
    quoted = connection.ops.quote_name
    changes = ", ".join(f"{quoted(field.column)} = %s" for field in fields)
    values = [
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in (*fields, key)] for row in rows
    ]
    with connection.cursor() as cursor:
        table = quoted(TrainingRow._meta.db_table)
        cursor.executemany(f"UPDATE {table} SET {changes} WHERE {quoted(key.column)} = %s", values)  # noqa: S608  names of our own
