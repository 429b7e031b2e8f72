"""The row that says what became of a deleted document."""

from __future__ import annotations

import uuid

from django.db import models

from knowledge.tenants.models import Tenant


class DeletionReport(models.Model):
    """Where a deleted document's text lay, and that it is gone from there. One for each document, kept when it is gone.

    It has no words of the document; its name only if whoever deleted it let it stay.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Being deleted"
        WAITING = "waiting_for_purge", "Gone; old files are still being rewritten"
        DONE = "done", "Gone"
        FAILED = "failed", "Something is left"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    knowledge_base_ref = models.UUIDField()
    document_ref = models.UUIDField()
    name = models.CharField(max_length=400, blank=True, default="", help_text="Its title; empty when it was not kept.")
    requested = models.DateTimeField()
    requested_by = models.CharField(
        max_length=254, blank=True, default="", help_text="As they were named then; empty when no person asked."
    )
    reason = models.CharField(max_length=400, blank=True, default="")
    erased = models.BooleanField(default=False, help_text="Its words were to leave answers too.")
    state = models.CharField(max_length=20, choices=State.choices, default=State.RUNNING)
    error = models.TextField(blank=True, default="")
    finished = models.DateTimeField(null=True, blank=True, help_text="When its rows, records and files were gone.")
    purged = models.DateTimeField(null=True, blank=True, help_text="When its last byte had left the disk.")
    checked = models.DateTimeField(null=True, blank=True, help_text="When it was last counted what is left.")
    subject = models.JSONField(default=dict, help_text="Ids it was known by: versions, spaces of the index.")
    places = models.JSONField(default=list, help_text="{place, name, rule, before, after, note} each.")
    signature = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "document_ref"], name="one_deletion_report_per_document")
        ]
        indexes = [
            # The list of a tenant, newest first, page by page.
            models.Index(fields=["tenant", "-requested", "id"], name="deletion_list"),
            # Those that wait for the purge, asked for every ten seconds.
            models.Index(fields=["state", "checked"], name="deletion_open"),
        ]

    def __str__(self) -> str:
        return f"deletion of {self.document_ref}"
