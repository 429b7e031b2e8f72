"""Training data: datasets, their versions, rows, and the words each row was made from."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from knowledge.documents.models import Document, KnowledgeBase
from knowledge.tenants.models import Tenant


class TrainingDataset(models.Model):
    """Rows that belong together, under one name; what is trained on is a version of it."""

    class Kind(models.TextChoices):
        RAFT = "raft", "Answers over passages, with citations"
        INSTRUCTION = "instruction", "Instructions and their outputs"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    purpose = models.TextField(blank=True, default="", help_text="What a model trained on it should do better.")
    knowledge_bases = models.ManyToManyField(KnowledgeBase, blank=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="training_dataset_slug_per_tenant")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """Rows as they are at one time. A draft may change; frozen, its content hash says what is in it for ever."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        FROZEN = "frozen", "Frozen"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(TrainingDataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    content_hash = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="SHA-256 over the approved rows as sorted canonical JSON lines.",
    )
    seed = models.PositiveIntegerField(default=1, help_text="Of the split by document.")
    counts = models.JSONField(default=dict, help_text="Approved rows by split, origin and kind, when it was frozen.")
    checks = models.JSONField(
        default=dict, help_text="What was found in all rows, and what they were looked at for: limits, questions."
    )
    drift = models.JSONField(
        default=dict, help_text="How far it moved from the version before and from questions asked."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    frozen = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_number"),
            models.UniqueConstraint(fields=["dataset"], condition=Q(state="draft"), name="one_draft_per_dataset"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.number}"


class TrainingRowQuerySet(models.QuerySet["TrainingRow"]):
    """Rows of a frozen version are read, erased with their documents, and that is all."""

    def update(self, **changes: Any) -> int:
        if self.filter(version__state=DatasetVersion.State.FROZEN).exists():
            raise TypeError("a row of a frozen version is never changed")
        return super().update(**changes)

    def delete(self) -> tuple[int, dict[str, int]]:
        if self.filter(version__state=DatasetVersion.State.FROZEN).exists():
            raise TypeError("a row of a frozen version is never deleted")
        return super().delete()

    def erase(self) -> int:
        """Empty what the rows say, whatever the state of their version; keys, sources and hash stay."""
        return super().update(prompt=[], completion="", flags={}, erased=timezone.now())


class TrainingRow(models.Model):
    """A prompt and the completion a model should learn to give."""

    class Origin(models.TextChoices):
        ANSWER = "answer", "Approved answer"
        FEEDBACK = "feedback", "Feedback"
        CASE = "case", "Evaluation case"
        CURATED = "curated", "Written by a person"
        UPLOAD = "upload", "Uploaded file"
        SYNTHESISED = "synthesised", "Made from documents"

    class Kind(models.TextChoices):
        GROUNDED = "grounded", "Answer over passages"
        REFUSAL = "refusal", "Refusal: the passages do not hold it"
        INSTRUCTION = "instruction", "Instruction"

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    class Split(models.TextChoices):
        TRAIN = "train", "Training"
        EVAL = "eval", "Held out"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="rows")
    key = models.CharField(max_length=64, help_text="SHA-256 of prompt and completion as canonical JSON.")
    first_key = models.CharField(
        max_length=64, default="", help_text="The key it was proposed with: edited or not, it is proposed once."
    )
    origin = models.CharField(max_length=12, choices=Origin.choices)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    prompt = models.JSONField(help_text="Messages in OpenAI's shape, as production renders them.")
    completion = models.TextField()
    group = models.CharField(max_length=80, blank=True, default="", help_text="What is never split: its document.")
    split = models.CharField(max_length=5, choices=Split.choices, default=Split.TRAIN)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PROPOSED)
    tokens = models.PositiveIntegerField(default=0, help_text="Of prompt and completion together, as counted here.")
    flags = models.JSONField(
        default=dict, help_text="What was found on it: near_duplicate, leak, personal, unverified, too_long."
    )
    erased = models.DateTimeField(null=True, blank=True, help_text="When its text went with a deleted document.")
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reviewed = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    objects = TrainingRowQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="training_row_once_per_version")]
        indexes = [
            # The review page, and what a training run reads.
            models.Index(fields=["version", "state", "split"], name="training_row_review"),
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.key[:12]}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_frozen()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self._refuse_frozen()
        return super().delete(*args, **kwargs)

    def _refuse_frozen(self) -> None:
        if DatasetVersion.objects.filter(pk=self.version_id, state=DatasetVersion.State.FROZEN).exists():
            raise TypeError("a row of a frozen version is never changed")


class RowSource(models.Model):
    """A range of canonical text, an answer, or an evaluation case that a row was made from."""

    class Role(models.TextChoices):
        ORACLE = "oracle", "Passage that answers"
        DISTRACTOR = "distractor", "Passage that does not"
        ANSWER = "answer", "Answer of a run"
        CASE = "case", "Evaluation case"

    row = models.ForeignKey(TrainingRow, on_delete=models.CASCADE, related_name="sources")
    role = models.CharField(max_length=10, choices=Role.choices)
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="+")
    document_ref = models.UUIDField(null=True, help_text="The document's id, kept when its row is gone.")
    base_ref = models.UUIDField(null=True)
    version = models.PositiveIntegerField(null=True)
    start = models.PositiveIntegerField(null=True)
    end = models.PositiveIntegerField(null=True)
    title = models.CharField(max_length=400, blank=True, default="")
    run_ref = models.UUIDField(null=True)
    case_ref = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        indexes = [
            # Which rows, and so which models, a document went into.
            models.Index(fields=["document_ref"], name="row_source_of_document"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.row_id}"


class KeptOutQuestion(models.Model):
    """A question that models are measured on: a training row that asks it, or rests on its words, is a leak."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64, help_text="Of the question's words, whatever case and punctuation.")
    text = models.TextField()
    document_ref = models.UUIDField(null=True)
    start = models.PositiveIntegerField(null=True)
    end = models.PositiveIntegerField(null=True)
    file = models.CharField(max_length=300, help_text="Where it came from.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="kept_out_question_once")]

    def __str__(self) -> str:
        return self.text[:80]
