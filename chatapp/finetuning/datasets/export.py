"""Rows of a version as a trainer takes them, and what they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingRow
from chatapp.finetuning.datasets.shapes import canonical

__all__ = ["ExportedRow", "approved", "content_hash", "documents_of", "frozen_versions_with", "rows_of", "write_jsonl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRow:
    """A prompt in OpenAI's shape and what a model should answer."""

    key: str
    prompt: list[dict[str, str]]
    completion: str


def approved(version: DatasetVersion) -> QuerySet[TrainingRow]:
    """Return the approved rows, also those whose text is gone."""
    return version.rows.filter(state=TrainingRow.State.APPROVED)


def rows_of(version: DatasetVersion, split: str | None = None) -> Iterator[ExportedRow]:
    """Yield the approved rows of a split, or of all, by key. Rows whose documents were deleted have no text any more:
    they are left out."""
    rows = approved(version).filter(erased=None).order_by("key")
    for row in (rows if split is None else rows.filter(split=split)).iterator(chunk_size=200):
        yield ExportedRow(key=row.key, prompt=row.prompt, completion=row.completion)


def write_jsonl(version: DatasetVersion, split: str, path: Path) -> int:
    """Write the rows of a split as JSON lines ``{"key", "prompt", "completion"}``, sorted by key; return how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows_of(version, split):
            line = canonical({"key": row.key, "prompt": row.prompt, "completion": row.completion})
            out.write(line + "\n")
            count += 1
    return count


def content_hash(version: DatasetVersion) -> str:
    """Return the SHA-256 over the approved rows as canonical JSON lines, sorted by key."""
    digest = hashlib.sha256()
    for row in approved(version).order_by("key").iterator(chunk_size=200):
        line: dict[str, Any] = {
            "key": row.key, "prompt": row.prompt, "completion": row.completion, "split": row.split
        }  # fmt: skip
        digest.update(canonical(line).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def documents_of(version: DatasetVersion) -> set[UUID]:
    """Return every document that an approved row was made from, deleted ones too."""
    rows = RowSource.objects.filter(
        row__version=version, row__state=TrainingRow.State.APPROVED, document_ref__isnull=False
    )
    return {ref for ref in rows.values_list("document_ref", flat=True).distinct() if ref is not None}


def frozen_versions_with(document_ref: UUID) -> QuerySet[DatasetVersion]:
    """Return the frozen versions of which an approved row was made from a document, deleted or not."""
    rows = RowSource.objects.filter(document_ref=document_ref, row__state=TrainingRow.State.APPROVED)
    frozen = DatasetVersion.objects.filter(state=DatasetVersion.State.FROZEN, pk__in=rows.values("row__version"))
    return frozen.select_related("dataset").order_by("dataset__name", "number")
