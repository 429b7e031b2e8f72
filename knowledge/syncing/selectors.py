"""Reads: sources with their newest run, and the run log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from knowledge.documents.models import KnowledgeBase
from knowledge.syncing.access import visible_sources
from knowledge.syncing.models import Source, SyncRun
from knowledge.tenants.access import Actor

LOGGED = 20
"""Runs of a source that its page shows."""


def sources_of(*, actor: Actor, base: KnowledgeBase) -> list[tuple[Source, SyncRun | None, int]]:
    """Return the sources of a base by name, each with its newest run and how many documents came from it."""
    rows = with_documents(visible_sources(actor=actor).filter(knowledge_base=base)).order_by("name", "pk")
    newest = SyncRun.objects.filter(source=OuterRef("pk")).order_by("-created").values("pk")[:1]
    found = list(rows.annotate(newest=Subquery(newest)))
    runs = SyncRun.objects.in_bulk([row.newest for row in found if row.newest])
    return [(row, runs.get(row.newest), row.documents) for row in found]


def with_documents(rows: QuerySet[Source]) -> QuerySet[Any]:
    """Add ``documents``: how many are there that came from the source."""
    there = Q(items__document__isnull=False) & ~Q(items__document__status="deleting")
    return rows.annotate(documents=Count("items", filter=there))


def documents_of(source: Source) -> int:
    return source.items.filter(document__isnull=False).exclude(document__status="deleting").count()


def newest_run(source: Source) -> SyncRun | None:
    return source.runs.order_by("-created").first()


def run_log(source: Source) -> Iterable[SyncRun]:
    """Return the newest runs of a source, newest first."""
    return source.runs.order_by("-created").defer("changes", "errors")[:LOGGED]
