"""The public shapes of sources and their runs. Secrets go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from knowledge.documents.schemas import Metadata
from knowledge.syncing import schedule, words
from knowledge.syncing.models import Source, SyncRun
from knowledge.syncing.secrets import secret_names

Hour = Field(default=None, ge=0, le=23, description="Of TIME_ZONE, where the source runs every so many days.")


class SourceIn(Schema):
    kind: str = Field(max_length=40)
    name: str = Field(min_length=1, max_length=200)
    options: Metadata = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict, max_length=20)
    interval: int = Field(default=0, ge=0, le=schedule.LONGEST, description="Minutes from run to run; 0: by hand only.")
    at_hour: int | None = Hour
    enabled: bool = True


class SourcePatch(Schema):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    options: Metadata | None = None
    secrets: dict[str, str] | None = Field(default=None, max_length=20, description="An empty one is forgotten.")
    interval: int | None = Field(default=None, ge=0, le=schedule.LONGEST)
    at_hour: int | None = Hour
    enabled: bool | None = None


class RunIn(Schema):
    dry_run: bool = False
    allow_withdrawals: bool = Field(default=False, description="Withdraw also more than half of the documents.")


class SyncRunOut(Schema):
    id: str
    source: str | None
    source_name: str
    kind: str
    state: str
    scheduled: bool
    progress: float
    attempts: int
    error: str | None
    counts: dict[str, int]
    summary: str
    withheld: int = Field(description="Documents it would withdraw, if somebody agreed.")
    created: datetime
    started: datetime | None
    finished: datetime | None

    @classmethod
    def of(cls, run: SyncRun) -> SyncRunOut:
        return cls(**_run(run))


class SyncRunDetail(SyncRunOut):
    errors: list[dict[str, str]]
    changes: list[dict[str, str]]

    @classmethod
    def of(cls, run: SyncRun) -> SyncRunDetail:
        return cls(**_run(run), errors=run.errors, changes=run.changes)


def _run(run: SyncRun) -> dict[str, Any]:
    return {
        "id": str(run.pk), "source": str(run.source_id) if run.source_id else None, "source_name": run.source_name,
        "kind": run.kind, "state": run.state, "scheduled": run.scheduled, "progress": round(run.progress, 3),
        "attempts": run.attempts, "error": run.last_error or None, "counts": run.counts,
        "summary": words.summary_of(run), "withheld": run.withheld, "created": run.created, "started": run.started,
        "finished": run.finished,
    }  # fmt: skip


class SourceOut(Schema):
    id: str
    knowledge_base: str
    kind: str
    name: str
    options: dict[str, Any]
    secrets: list[str] = Field(description="The names of those that are set.")
    interval: int
    at_hour: int | None
    enabled: bool
    next_run: datetime | None
    state: str
    documents: int
    last_run: SyncRunOut | None
    created: datetime

    @classmethod
    def of(cls, source: Source, *, run: SyncRun | None, documents: int) -> SourceOut:
        return cls(
            id=str(source.pk), knowledge_base=str(source.knowledge_base_id), kind=source.kind, name=source.name,
            options=source.options, secrets=secret_names(source), interval=source.interval,
            at_hour=source.at_hour, enabled=source.enabled, next_run=source.next_run,
            state=words.state_of(source, run), documents=documents, last_run=SyncRunOut.of(run) if run else None,
            created=source.created,
        )  # fmt: skip


class SourceList(Schema):
    items: list[SourceOut]


class SyncRunPage(Schema):
    items: list[SyncRunOut]
    next_cursor: str | None = None


class CheckOut(Schema):
    reachable: bool
    problems: list[str]
