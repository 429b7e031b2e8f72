"""How an installation is, for the people who look after it: what is wrong, the next step, and the facts behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone

from chatapp.language_models import health as model_health
from chatapp.operations import parts
from knowledge import wiring
from knowledge.documents.indexes import alarms, reconcile_jobs, upkeep
from knowledge.documents.indexes.reconcile import KINDS
from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import DeletionReport, Document, IndexGeneration, IndexJob, Purge
from knowledge.errors import KnowledgeError
from knowledge.tenants.models import Tenant
from knowledge.types import StoreFacts

__all__ = ["Condition", "Problem", "Table", "condition"]

STUCK = timedelta(minutes=15)
LATE_PURGE = timedelta(minutes=10)
RECENT = timedelta(days=7)
MOST_TABLES = 100
MOST_REASONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, in a sentence or two that end with the next step."""

    where: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The index of one tenant in one embedding space."""

    tenant: Tenant
    space: str
    facts: StoreFacts | None
    size: str
    upkeep: Sequence[IndexJob]  # newest first


@dataclass(slots=True, kw_only=True)
class Condition:
    problems: list[Problem] = field(default_factory=list)
    parts: list[parts.Part] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    comparisons: list[tuple[Tenant, IndexJob | None]] = field(default_factory=list)
    waiting: int = 0
    running: int = 0
    documents: dict[str, int] = field(default_factory=dict)  # by status, in words
    purges: int = 0


def condition(tenants: Sequence[Tenant]) -> Condition:
    """Look at the parts of the product, and at what belongs to the tenants."""
    found = Condition(parts=parts.examine_cached())
    ids = [tenant.pk for tenant in tenants]
    found.problems += [Problem(where="Parts", words=_part_words(part)) for part in found.parts if not part.ok]
    found.problems += [Problem(where="Disk", words=words) for words in alarms.disk()]
    found.problems += [Problem(where="Models", words=words) for words in model_health.problems(ids)]
    found.problems += _jobs(found, ids)
    found.problems += _documents(found, ids)
    found.problems += _deletions(ids)
    found.problems += _indexes(ids)
    found.problems += _tables(found, tenants)
    found.problems += _purges(found, ids)
    found.problems += _comparisons(found, tenants)
    return found


def _part_words(part: parts.Part) -> str:
    return f"{part.name} does not work. {part.detail or 'The log says why; `manage.py doctor` looks at every part.'}"


def _jobs(found: Condition, tenants: Sequence[UUID]) -> Iterator[Problem]:
    """Yield what is wrong with jobs of every kind, whichever package they belong to."""
    now = timezone.now()
    for model in _job_models():
        rows = model._default_manager.filter(tenant__in=tenants)
        name = str(model._meta.verbose_name_plural)
        waits, runs = Q(state=LeasedJob.State.QUEUED), Q(state=LeasedJob.State.RUNNING)
        counted = rows.aggregate(
            waiting=Count("pk", filter=waits), running=Count("pk", filter=runs),
            stuck=Count("pk", filter=(waits & Q(not_before__lt=now - STUCK)) | (runs & Q(lease_until__lt=now - STUCK))),
        )  # fmt: skip
        found.waiting += counted["waiting"]
        found.running += counted["running"]
        if counted["stuck"]:
            yield Problem(where="Jobs", words=_stuck_words(counted["stuck"], name))
        told = rows.filter(waits & ~Q(last_error="")).values_list("last_error").annotate(count=Count("pk"))
        for words, count in told.order_by("-count")[:MOST_REASONS]:
            yield Problem(where="Jobs", words=f"{_many(count, name)} wait and will be tried again: {words}")
        if model in SPOKEN_FOR:
            continue
        failed = rows.filter(state=LeasedJob.State.FAILED, finished__gt=now - RECENT)
        for words, count in (
            failed.values_list("last_error").annotate(count=Count("pk")).order_by("-count")[:MOST_REASONS]
        ):
            yield Problem(where="Jobs", words=f"{_many(count, name)} failed in the last 7 days: {words}")


SPOKEN_FOR: set[Any] = {apps.get_model("documents", "IngestionJob"), IndexJob}
"""Whose failures are told by what they are of: documents, deletions, tables, indexes, comparisons."""


def _job_models() -> list[Any]:
    return [
        model for model in apps.get_models()
        if issubclass(model, LeasedJob) and any(each.name == "tenant" for each in model._meta.get_fields())
    ]  # fmt: skip


def _stuck_words(count: int, name: str) -> str:
    return (
        f"{_many(count, name)} should have been worked on {STUCK.seconds // 60} minutes ago. Look whether a worker and "
        "the scheduler run (`manage.py doctor`), and whether the worker serves every queue."
    )


def _many(count: int, plural: str) -> str:
    return f"{count:,} {plural if count != 1 else plural.removesuffix('s')}"


def _documents(found: Condition, tenants: Sequence[UUID]) -> Iterator[Problem]:
    rows = Document.objects.filter(tenant__in=tenants)
    counts = dict(rows.values_list("status").annotate(count=Count("pk")))
    found.documents = {Document.Status(status).label: counts[status] for status in sorted(counts)}
    failed = rows.filter(status=Document.Status.FAILED).values_list("error", "failed_for_good")
    for words, for_good, count in failed.annotate(count=Count("pk")).order_by("-count", "error")[:MOST_REASONS]:
        step = "Upload readable files in their place, or delete them." if for_good else "Retry them once it is mended."
        yield Problem(where="Documents", words=f"{_many(count, 'documents')} failed: {words} {step}")


def _deletions(tenants: Sequence[UUID]) -> Iterator[Problem]:
    failed = DeletionReport.objects.filter(tenant__in=tenants, state=DeletionReport.State.FAILED)
    for words, count in failed.values_list("error").annotate(count=Count("pk")).order_by("-count")[:MOST_REASONS]:
        step = "It is tried again every ten minutes; the report under Deleted documents says what is left."
        yield Problem(where="Deletion", words=f"{_many(count, 'deletions')} did not end: {words} {step}")


def _indexes(tenants: Sequence[UUID]) -> Iterator[Problem]:
    newest = IndexJob.objects.filter(generation=OuterRef("pk")).order_by("-created")
    rows = IndexGeneration.objects.filter(knowledge_base__tenant__in=tenants).annotate(
        ended=Subquery(newest.values("state")[:1]), said=Subquery(newest.values("last_error")[:1])
    )
    for row in rows.filter(ended=LeasedJob.State.FAILED).select_related("knowledge_base")[:MOST_REASONS]:
        step = "The page Documents > Search index offers to try again."
        yield Problem(where="Index", words=f"Work on an index of {row.knowledge_base.name} failed: {row.said} {step}")


def _tables(found: Condition, tenants: Sequence[Tenant]) -> Iterator[Problem]:
    by_id = {tenant.pk: tenant for tenant in tenants}
    pairs = [(by_id[pk], space) for pk, space in upkeep.tables() if pk in by_id]
    for tenant, space in pairs[:MOST_TABLES]:
        facts, words = _facts(tenant, space)
        jobs = list(upkeep.history(tenant_id=tenant.pk, space=space)[:5])
        size = alarms.size(facts.bytes) if facts is not None and facts.bytes is not None else ""
        found.tables.append(Table(tenant=tenant, space=space, facts=facts, size=size, upkeep=jobs))
        where = f"Index of {tenant.name}"
        alarming = alarms.of_table(facts, tenant_id=tenant.pk, space=space)
        yield from (Problem(where=where, words=each) for each in [*words, *alarming])


def _facts(tenant: Tenant, space: str) -> tuple[StoreFacts | None, list[str]]:
    try:
        return wiring.store().facts(space=space, tenant=str(tenant.pk)), []
    except KnowledgeError as error:
        return None, [f"It cannot be measured: {error.message} `manage.py doctor` looks at the store."]


def _purges(found: Condition, tenants: Sequence[UUID]) -> Iterator[Problem]:
    rows = Purge.objects.filter(tenant__in=tenants)
    found.purges = rows.count()
    late = rows.filter(requested__lt=timezone.now() - LATE_PURGE).order_by("requested").first()
    if late is not None:
        words = (
            f"Deleted text has lain in old files since {_time(late.requested)}; it should be gone within a minute. "
            "Look whether a worker runs, and for the word purge in its log."
        )
        yield Problem(where="Deletion", words=words)


def _comparisons(found: Condition, tenants: Sequence[Tenant]) -> Iterator[Problem]:
    for tenant in tenants:
        job = reconcile_jobs.last(tenant_id=tenant.pk)
        found.comparisons.append((tenant, job))
        if job is None:
            continue
        where = f"Comparison of {tenant.name}"
        if job.state == IndexJob.State.FAILED:
            yield Problem(where=where, words=f"It failed: {job.last_error} `manage.py reconcile` says more.")
        elif not job.report.get("agrees"):
            differences = job.report.get("differences", {})
            told = ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in differences.items())
            step = f"`manage.py reconcile --tenant {tenant.slug} --repair` makes them agree."
            yield Problem(where=where, words=f"Database and index differ ({told}). {step}")


def _time(at: datetime) -> str:
    return timezone.localtime(at).strftime("%-d %B, %H:%M")
