"""Servers of local models: what should run, and what does."""

from __future__ import annotations

import uuid

from django.db import models

from chatapp.finetuning.training.models import BaseModel
from chatapp.language_models.models import LanguageModel


class ModelServer(models.Model):
    """A server of one base model and its adapters: our own, or a vLLM that an operator runs.

    Whoever wants it running says so in ``wanted``; the process that looks after servers writes the rest.
    """

    class Kind(models.TextChoices):
        OWN = "own", "Footnote's own"
        VLLM = "vllm", "vLLM"

    class State(models.TextChoices):
        STOPPED = "stopped", "Stopped"
        STARTING = "starting", "Starting"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    base = models.ForeignKey(BaseModel, on_delete=models.CASCADE, related_name="servers")
    language_model = models.OneToOneField(
        LanguageModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        help_text="The base model's own entry of the catalogue, which is there while it is served.",
    )  # fmt: skip
    address = models.CharField(max_length=200, blank=True, default="", help_text="http://host:port")
    wanted = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STOPPED)
    detail = models.TextField(blank=True, default="", help_text="What is wrong, in words.")
    pid = models.PositiveIntegerField(null=True, blank=True)
    loaded = models.JSONField(default=list, help_text="Adapters it has loaded: version ids.")
    load = models.JSONField(default=dict, help_text="Requests running and waiting, tokens a second, memory.")
    seen = models.DateTimeField(null=True, blank=True, help_text="When it last answered.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["base", "kind"], name="one_server_per_base_and_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.base}"
