"""Sources of documents, what is known of each of their items, and the runs that compare the two."""

from __future__ import annotations

import hashlib
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.tenants.models import Tenant

DAY = 24 * 60
"""Minutes of a day; an interval of whole days may name an hour."""


def key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Source(models.Model):
    """A place that documents of a knowledge base come from again and again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    knowledge_base = models.ForeignKey(KnowledgeBase, on_delete=models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=40, help_text="A name of knowledge.sources.plugins.")
    name = models.CharField(max_length=200)
    options = models.JSONField(default=dict, blank=True)
    sealed = models.TextField(blank=True, default="", editable=False, help_text="Its secrets, encrypted: see vault.")
    interval = models.PositiveIntegerField(default=0, help_text="Minutes from run to run; 0 runs by hand only.")
    at_hour = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Of TIME_ZONE; for whole days.")
    enabled = models.BooleanField(default=True, help_text="Whether the schedule counts.")
    deleting = models.BooleanField(default=False, help_text="Its documents are being withdrawn; then the row goes.")
    next_run = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # Every minute: which are due.
            models.Index(fields=["next_run"], name="source_due", condition=Q(next_run__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name


class SourceItem(models.Model):
    """One thing a source offered, as it was when it was stored."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="items")
    key = models.CharField(max_length=2000)
    key_hash = models.CharField(max_length=64)  # an index over 2,000 characters is more than PostgreSQL takes
    fingerprint = models.CharField(max_length=500, blank=True, default="")
    document = models.ForeignKey(Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    document_ref = models.UUIDField(null=True, blank=True, help_text="The document's id, kept when its row is gone.")
    sha256 = models.CharField(max_length=64, blank=True, default="", help_text="Of the bytes stored last.")
    stored_by = models.UUIDField(null=True, blank=True, help_text="The run that stored it last.")
    missing_since = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="", help_text="Why the last run could not read it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "key_hash"], name="item_once_per_source")]
        indexes = [
            # A deletion report asks which items a document came from.
            models.Index(fields=["document_ref"], name="item_document_ref"),
        ]

    def __str__(self) -> str:
        return self.key


class SyncRun(LeasedJob):
    """One comparison of a source with what is stored of it, and what was done about the differences."""

    class Kind(models.TextChoices):
        FULL = "full", "Sync"
        DRY = "dry", "Dry run"
        REMOVE = "remove", "Removal"

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.FULL)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, related_name="runs")
    source_name = models.CharField(max_length=200, help_text="Kept when the source is gone.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    scheduled = models.BooleanField(default=False)
    allow_withdrawals = models.BooleanField(default=False, help_text="Somebody agreed to withdraw however many.")
    counts = models.JSONField(default=dict, blank=True)
    errors = models.JSONField(default=list, blank=True, help_text="The first ones: key and message.")
    changes = models.JSONField(default=list, blank=True, help_text="The first ones: action and key.")
    withheld = models.PositiveIntegerField(default=0, help_text="Documents it would withdraw, and asks about.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source"], condition=Q(state__in=["queued", "running"]), name="one_open_run_per_source"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="sync_run_sweep"),
            # The run log of a source, newest first.
            models.Index(fields=["source", "-created"], name="sync_run_log"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source_name}"
