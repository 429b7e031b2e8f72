"""What editors decided about questions that got no answer."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from knowledge.tenants.models import Tenant


class Mark(models.Model):
    """One decision about one question. The question itself is not kept: it stays with its conversation."""

    class State(models.TextChoices):
        DONE = "done", "Done"
        IGNORED = "ignored", "Ignored"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64, help_text="Of the question: selectors.key_of.")
    state = models.CharField(max_length=10, choices=State.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="one_mark_per_question")]

    def __str__(self) -> str:
        return f"{self.state} {self.key[:12]}"
