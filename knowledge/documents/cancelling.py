"""Ending the work on a document because somebody asked: it goes back to what it was before."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from knowledge.documents import notices
from knowledge.documents.models import Document, DocumentVersion, IngestionJob
from knowledge.errors import DocumentNotFound
from knowledge.tenants.access import Actor

HOLDER_LEAVES = timedelta(seconds=5)
"""A worker notices within it that its job was cancelled, and takes away what it wrote."""


@transaction.atomic
def cancel_document(*, document: Document, actor: Actor) -> Document:
    """End the open job of a document; nothing happens when none is open.

    What was searchable before stays so and is ready; a document that never was has failed, and a retry helps.

    :raises DocumentNotFound: it was deleted meanwhile.
    """
    ingests = IngestionJob.objects.unfinished().filter(document_ref=document.pk, kind=IngestionJob.Kind.INGEST)
    # The jobs before the document, as the switch of a version locks them: two that wait for each other would both end.
    jobs = list(ingests.select_for_update(of=("self",)).order_by("created"))
    row = Document.objects.alive().select_for_update().filter(pk=document.pk).first()
    if row is None:
        raise DocumentNotFound
    if not jobs:
        return row
    words = f"Cancelled by {_name(actor)}."
    ended = {"state": IngestionJob.State.CANCELLED, "finished": timezone.now(), "lease_until": None}
    IngestionJob.objects.filter(pk__in=[job.pk for job in jobs]).update(**ended, last_error=words)
    _go_back(row, jobs, words)
    notices.changed(row)
    return row


def free_again(document: Document, *, now: datetime) -> datetime:
    """Return when a new job may begin: a holder that was just told to leave must not meet its successor."""
    cancelled = document.jobs.filter(state=IngestionJob.State.CANCELLED, started__isnull=False)
    last = cancelled.filter(finished__gt=now - HOLDER_LEAVES).order_by("finished").last()
    return now if last is None or last.finished is None else last.finished + HOLDER_LEAVES


def _go_back(row: Document, jobs: list[IngestionJob], words: str) -> None:
    live = row.current_version_id
    for job in jobs:
        state = DocumentVersion.State.LIVE if job.version_id == live else DocumentVersion.State.FAILED
        DocumentVersion.objects.filter(jobs=job).update(state=state)
    row.status = Document.Status.READY if live else Document.Status.FAILED
    row.error, row.stage_progress = ("", 1.0) if live else (words, 0.0)
    row.failed_for_good = False
    row.save(update_fields=["status", "error", "stage_progress", "failed_for_good", "updated"])


def _name(actor: Actor) -> str:
    user = get_user_model()._default_manager.filter(pk=actor.user_id).first() if actor.user_id else None
    return str(user) if user is not None else "an operator"
