"""Builds: work on the draft of a dataset that takes too long for a request."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatapp.finetuning.datasets.models import TrainingDataset
from knowledge.documents.leased import LeasedJob
from knowledge.tenants.models import Tenant


class DatasetBuild(LeasedJob):
    """Proposes rows into the draft of a dataset, checks all of them, or freezes it; a stopped one goes on there."""

    class Kind(models.TextChoices):
        QUESTIONS = "questions", "Questions with their answers"
        SYNTHESIS = "synthesis", "Rows made from documents"
        FILE = "file", "Rows of a file"
        ANSWERS = "answers", "Rows of answers"
        CHECK = "check", "Check of all rows"
        FREEZE = "freeze", "Freezing"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(TrainingDataset, on_delete=models.CASCADE, related_name="builds")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    options = models.JSONField(
        default=dict, help_text="What was asked for: sizes, shares, seed, model; and the version it works on."
    )
    work = models.JSONField(
        default=list, help_text="Questions, or ids of passages or answers, in the order they are taken."
    )
    total = models.PositiveIntegerField(default=0, help_text="How many pieces of work it has, or rows of its file.")
    done = models.PositiveIntegerField(default=0, help_text="How many of its work are behind it.")
    counts = models.JSONField(default=dict, help_text="Rows proposed, known before, left out.")
    notes = models.JSONField(default=list, help_text="Sentences for people: what was left out, and why.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"], condition=Q(state__in=["queued", "running"]), name="one_open_build_per_dataset"
            )
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="dataset_build_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.dataset}"


class BuildFile(models.Model):
    """The file that a build takes its rows from: apart, for builds are read often. It goes with the end of the work."""

    build = models.OneToOneField(DatasetBuild, primary_key=True, on_delete=models.CASCADE, related_name="file")
    name = models.CharField(max_length=100)
    data = models.BinaryField()

    def __str__(self) -> str:
        return self.name
