"""From a document to the models that were trained on it, and back: rows, their sources, dataset versions, runs."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from chatapp.conversations.models import ContextPassage
from chatapp.finetuning.datasets import export
from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingRow
from chatapp.finetuning.registry.models import ModelVersion
from knowledge.documents.models import Document

__all__ = ["documents_of", "missing_documents", "trained_on", "version_number_words"]


def documents_of(version: DatasetVersion) -> set[UUID]:
    """Return every document that words of its approved rows come from: named by a source, or given to the answer that
    a row was made of."""
    rows = RowSource.objects.filter(row__version=version, row__state=TrainingRow.State.APPROVED)
    runs = rows.exclude(run_ref=None).values("run_ref")
    given = ContextPassage.objects.filter(run__in=runs).values_list("document_ref", flat=True)
    return export.documents_of(version) | set(given)


def missing_documents(version: DatasetVersion) -> set[UUID]:
    """Return those of ``documents_of`` that are deleted, or are being deleted."""
    refs = documents_of(version)
    return refs - set(Document.objects.alive().filter(pk__in=refs).values_list("pk", flat=True))


def trained_on(*, tenant: UUID | str, document: UUID | str) -> QuerySet[ModelVersion]:
    """Return the versions that saw words of a document. Held-out rows count: their words chose the version."""
    runs = ContextPassage.objects.filter(document_ref=document, run__tenant_id=tenant).values("run")
    rows = RowSource.objects.filter(row__state=TrainingRow.State.APPROVED)
    seen = rows.filter(Q(document_ref=document) | Q(run_ref__in=runs)).values("row__version")
    found = ModelVersion.objects.filter(fine_tuned_model__tenant_id=tenant, run__dataset_version__in=seen)
    return found.select_related("fine_tuned_model").order_by("fine_tuned_model__name", "number")


def version_number_words(versions: Iterable[ModelVersion]) -> str:
    """Name versions in a sentence."""
    return ", ".join(f"“{each.fine_tuned_model.name}” version {each.number}" for each in versions)
