"""Training runs: supervised jobs that turn a frozen dataset version into a model."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatapp.finetuning.datasets.models import DatasetVersion
from knowledge.documents.leased import LeasedJob
from knowledge.tenants.models import Tenant


class BaseModel(models.Model):
    """A model to train from: a folder of safetensors on this installation. Only an operator adds one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="+", help_text="Empty: for every one."
    )
    name = models.CharField(max_length=200)
    path = models.CharField(max_length=500, help_text="Its folder, below MODELS_DIR.")
    digest = models.CharField(max_length=64, help_text="SHA-256 over the names and SHA-256 of its files.")
    files = models.JSONField(default=dict, help_text="SHA-256 by file name.")
    architecture = models.CharField(max_length=100)
    parameters = models.PositiveBigIntegerField()
    context_window = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["path"], name="base_model_once_per_path")]

    def __str__(self) -> str:
        return self.name


class TrainingRun(LeasedJob):
    """One training job. Its state, lease and attempts are those of every job here."""

    class Trainer(models.TextChoices):
        LOCAL = "local", "On this installation"
        HOSTED = "hosted", "By a provider"

    class Method(models.TextChoices):
        FULL = "full", "Full fine-tuning"
        LORA = "lora", "LoRA"
        DORA = "dora", "DoRA"
        QLORA = "qlora", "QLoRA"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="runs")
    trainer = models.CharField(max_length=6, choices=Trainer.choices)
    method = models.CharField(max_length=5, choices=Method.choices)
    base = models.ForeignKey(BaseModel, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    hosted_model = models.CharField(max_length=300, blank=True, default="", help_text="What a provider trains from.")
    hosted = models.JSONField(
        default=dict, help_text="Of a provider: catalogue entry, idempotency key, file and job ids, state, model made."
    )
    recipe = models.JSONField(default=dict, help_text="Hyperparameters, all of them, and the seed.")
    step = models.PositiveIntegerField(default=0)
    max_steps = models.PositiveIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    heartbeat = models.DateTimeField(null=True, blank=True)
    checkpoint = models.CharField(max_length=500, blank=True, default="", help_text="The newest, to go on from.")
    resumed_from = models.PositiveIntegerField(null=True, blank=True, help_text="Step of the checkpoint taken up last.")
    estimate = models.JSONField(default=dict, help_text="Seconds, bytes and dollars, as reckoned before the start.")
    metrics = models.JSONField(default=dict, help_text="At the end: losses, tokens a second, peak memory.")
    record = models.JSONField(default=dict, help_text="What it takes to do it again (reproducibility record).")
    start_key = models.CharField(
        max_length=64, default="", help_text="SHA-256 of data, base and recipe: the same twice at once is one run."
    )
    cost = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True, help_text="US dollars.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "start_key"],
                name="one_run_per_start",
                condition=Q(state__in=["queued", "running"]) & ~Q(start_key=""),
            ),
        ]
        indexes = [
            # The sweeper's query for runs nobody works on.
            models.Index(fields=["state", "lease_until"], name="training_run_due"),
            # The list of a tenant, newest first.
            models.Index(fields=["tenant", "-created"], name="training_run_list"),
        ]

    def __str__(self) -> str:
        return self.name


class TrainingPoint(models.Model):
    """A point of the curve."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    loss = models.FloatField(null=True)
    eval_loss = models.FloatField(null=True)
    learning_rate = models.FloatField(null=True)
    tokens_per_second = models.FloatField(null=True)
    memory = models.PositiveBigIntegerField(null=True, help_text="Bytes, the peak so far.")
    seconds = models.FloatField(help_text="Since the start of the attempt.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="training_point_once_per_step")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.step}"


class TrainingSample(models.Model):
    """What the model said to a held-out prompt at a step."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="samples")
    step = models.PositiveIntegerField()
    row_key = models.CharField(max_length=64)
    expected = models.TextField()
    output = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step", "row_key"], name="training_sample_once")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.step}"
