"""What training made: versions of a fine-tuned model, and which of them answers."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from chatapp.finetuning.training.models import BaseModel, TrainingRun
from chatapp.language_models.models import LanguageModel
from knowledge.tenants.models import Tenant


class FineTunedModel(models.Model):
    """A name under which versions follow each other; in the catalogue it stands for the active one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    language_model = models.OneToOneField(
        LanguageModel,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text="The entry that stands for the active one.",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="fine_tuned_model_slug_per_tenant")]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """The result of one training run."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    fine_tuned_model = models.ForeignKey(FineTunedModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    run = models.OneToOneField(TrainingRun, on_delete=models.RESTRICT, related_name="model_version")
    base = models.ForeignKey(BaseModel, null=True, blank=True, on_delete=models.RESTRICT, related_name="versions")
    method = models.CharField(max_length=5, choices=TrainingRun.Method.choices)
    path = models.CharField(max_length=500, blank=True, default="", help_text="Folder of its adapter or weights.")
    digest = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of its safetensors.")
    hosted_model = models.CharField(max_length=300, blank=True, default="")
    data_hash = models.CharField(max_length=64, help_text="Content hash of the rows it was trained on.")
    language_model = models.OneToOneField(
        LanguageModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        help_text="Its own entry of the catalogue, which is there while it can be called.",
    )  # fmt: skip
    state = models.CharField(max_length=10, choices=State.choices, default=State.CANDIDATE)
    canary_share = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])
    metrics = models.JSONField(default=dict, help_text="Of its evaluations: before and after, by check.")
    gate = models.JSONField(default=dict, help_text="The last verdict on whether it may be promoted, with its figures.")
    stale = models.DateTimeField(null=True, blank=True, help_text="Since when documents it was trained on are gone.")
    stale_documents = models.JSONField(default=list, help_text="Ids and titles of those documents.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fine_tuned_model", "number"], name="model_version_number"),
            models.UniqueConstraint(
                fields=["fine_tuned_model"], condition=Q(state="active"), name="one_active_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fine_tuned_model} {self.number}"


class RegistryEvent(models.Model):
    """Something that happened to a version: promoted, rolled back, marked stale. Kept for ever."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=20)
    detail = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["version", "-created"], name="registry_event_list")]  # a version's history

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"
