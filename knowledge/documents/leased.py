"""What every job row has: state, lease, fence, attempts, progress. Other packages derive their jobs from it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q


class JobQuerySet(models.QuerySet[Any]):
    def unfinished(self) -> Self:
        return self.filter(state__in=[LeasedJob.State.QUEUED, LeasedJob.State.RUNNING])

    def due(self, *, now: datetime) -> Self:
        """Jobs nobody works on: waiting, or running with a lease that ran out."""
        return self.filter(
            Q(state=LeasedJob.State.QUEUED, not_before__lte=now) | Q(state=LeasedJob.State.RUNNING, lease_until__lt=now)
        )


class LeasedJob(models.Model):
    """Work that one process does at a time. This row is the truth; the Celery message is a doorbell."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(max_length=20, blank=True, default="")
    progress = models.FloatField(default=0.0)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Raised at each claim; an older holder is refused.")
    owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField()
    published = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    report = models.JSONField(default=dict, blank=True, help_text="Counts that prove what was done.")
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True, help_text="When it was last claimed.")
    finished = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        abstract = True
