"""What the logs of runs say of documents: paths and addresses. They stay when a document is deleted, not when it is
erased; and of each source only the newest runs are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import Q

from knowledge.documents.deletions.places import Found, Subject
from knowledge.documents.models import DeletionReport
from knowledge.stores.common import batches
from knowledge.syncing.models import Source, SyncRun

__all__ = ["blank", "blank_erased", "count", "drop_old"]

KEPT_RUNS = 100
AT_ONCE = 500
"""Rows of one statement."""

NOTE = "Kept by rule: its path or address in the log of runs. An erasure blanks it."


def count(subject: Subject) -> Found:
    """Count the lines that name where the document came from."""
    lines = sum(len(_named(run, {subject.document})) for run in _runs(subject))
    return Found(count=lines, note=NOTE if lines else "")


def blank(subject: Subject) -> None:
    """Take the document's path or address out of every log; what was done to it stays."""
    for run in _runs(subject):
        _blank(run, {subject.document})


def blank_erased(run: SyncRun) -> None:
    """Take out of the log of a run that ends now what was erased while it was under way."""
    run.refresh_from_db(fields=["changes", "errors"])
    named = {line["document"] for line in (*run.changes, *run.errors) if line.get("document")}
    for some in batches(sorted(named), AT_ONCE):
        erased = DeletionReport.objects.filter(tenant=run.tenant_id, document_ref__in=some, erased=True)
        _blank(run, {str(ref) for ref in erased.values_list("document_ref", flat=True)})


def drop_old(source: Source) -> None:
    """Remove the oldest runs of a source that are over, beyond those that are kept."""
    rows = source.runs.order_by("-created", "pk").values_list("pk", flat=True)
    SyncRun.objects.filter(pk__in=list(rows[KEPT_RUNS : KEPT_RUNS + AT_ONCE]), finished__isnull=False).delete()


def _runs(subject: Subject) -> Iterator[SyncRun]:
    holds = Q(changes__icontains=subject.document) | Q(errors__icontains=subject.document)
    rows = SyncRun.objects.filter(holds, tenant__pk=subject.tenant)
    yield from rows.only("pk", "changes", "errors").iterator(chunk_size=50)


def _named(run: SyncRun, documents: Collection[str]) -> list[dict[str, Any]]:
    return [line for line in (*run.changes, *run.errors) if line.get("document") in documents and line["key"]]


def _blank(run: SyncRun, documents: Collection[str]) -> None:
    if lines := _named(run, documents):
        for line in lines:
            line["key"] = ""
        SyncRun.objects.filter(pk=run.pk).update(changes=run.changes, errors=run.errors)
