"""Shapes of the HTTP API of training data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import prefetch_related_objects
from ninja import Field, Schema

from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.gating import Standing, standings_of
from chatapp.finetuning.datasets.models import DatasetVersion, TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.versions import newest_versions

__all__ = [
    "AddedOut", "BuildOut", "DatasetIn", "DatasetList", "DatasetOut", "QuestionIn", "ReviewIn", "RowOut", "RowPage",
    "VersionOut",
]  # fmt: skip


MOST_VERSIONS = 50
"""Of a dataset, newest first."""


class DatasetIn(Schema):
    name: str = Field(min_length=1, max_length=200)
    kind: Literal["raft", "instruction"]
    purpose: str = Field("", max_length=4_000)
    knowledge_bases: list[str] = Field(default_factory=list, max_length=100)


class VersionOut(Schema):
    id: UUID
    number: int
    state: str
    content_hash: str
    frozen: datetime | None
    checks: dict[str, Any]
    drift: dict[str, Any]
    counts: dict[str, Any]

    @classmethod
    def of(cls, version: DatasetVersion, standing: Standing | None) -> VersionOut:
        counts = version.counts if standing is None else standing.as_json()
        return cls(
            id=version.pk, number=version.number, state=version.state, content_hash=version.content_hash,
            frozen=version.frozen, checks=version.checks, drift=version.drift, counts=counts,
        )  # fmt: skip


class DatasetOut(Schema):
    id: UUID
    slug: str
    name: str
    kind: str
    purpose: str
    knowledge_bases: list[UUID]
    versions: list[VersionOut]

    @classmethod
    def of(cls, dataset: TrainingDataset) -> DatasetOut:
        return cls.of_all([dataset])[0]

    @classmethod
    def of_all(cls, datasets: Sequence[TrainingDataset]) -> list[DatasetOut]:
        """Return datasets with their newest versions: as many queries for many as for one."""
        prefetch_related_objects(datasets, "knowledge_bases")
        newest = newest_versions(datasets, most=MOST_VERSIONS)
        standings = standings_of([each for found in newest.values() for each in found if not each.frozen])
        return [
            cls(
                id=dataset.pk, slug=dataset.slug, name=dataset.name, kind=dataset.kind, purpose=dataset.purpose,
                knowledge_bases=[base.pk for base in dataset.knowledge_bases.all()],
                versions=[VersionOut.of(each, standings.get(each.pk)) for each in newest[dataset.pk]],
            )
            for dataset in datasets
        ]  # fmt: skip


class DatasetList(Schema):
    items: list[DatasetOut]
    next_cursor: str | None


class SourceOut(Schema):
    role: str
    document: UUID | None
    version: int | None
    start: int | None
    end: int | None
    title: str
    run: UUID | None


class RowOut(Schema):
    id: UUID
    key: str
    origin: str
    kind: str
    state: str
    split: str
    tokens: int
    flags: dict[str, Any]
    prompt: list[dict[str, Any]]
    completion: str
    erased: datetime | None
    sources: list[SourceOut]

    @classmethod
    def of(cls, row: TrainingRow) -> RowOut:
        sources = [
            SourceOut(role=s.role, document=s.document_ref, version=s.version, start=s.start, end=s.end, title=s.title,
                      run=s.run_ref)
            for s in row.sources.all()
        ]  # fmt: skip
        names = ("key", "origin", "kind", "state", "split", "tokens", "flags", "prompt", "completion", "erased")
        return cls(id=row.pk, sources=sources, **{name: getattr(row, name) for name in names})


class RowPage(Schema):
    items: list[RowOut]
    next_cursor: str | None


class ReviewIn(Schema):
    state: Literal["proposed", "approved", "rejected"] | None = None
    completion: str | None = Field(None, max_length=32_000)


class QuestionIn(Schema):
    question: str = Field(min_length=1, max_length=8_000)
    answer: str = Field("", max_length=32_000)
    document: str = ""
    quote: str = Field("", max_length=8_000)


class AddedOut(Schema):
    counts: dict[str, int]


class BadLineOut(Schema):
    line: int
    why: str


class BuildOut(Schema):
    id: UUID
    kind: str
    state: str
    version: UUID | None
    progress: float
    done: int
    work: int
    counts: dict[str, int]
    notes: list[str]
    refused: int
    errors: list[BadLineOut]
    error: str

    @classmethod
    def of(cls, build: DatasetBuild) -> BuildOut:
        errors = [BadLineOut(line=line, why=why) for line, why in build.report.get("errors", [])]
        return cls(
            id=build.pk, kind=build.kind, state=build.state, version=build.options.get("version") or None,
            progress=build.progress, done=build.done, work=build.total, counts=build.counts, notes=build.notes,
            refused=build.report.get("refused", 0), errors=errors, error=build.last_error,
        )  # fmt: skip
