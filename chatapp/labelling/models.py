"""What people say of checked sentences, and the thresholds that were fitted to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from knowledge.tenants.models import Tenant


class SentenceLabel(models.Model):
    """What one person says of one sentence. Numbers only: it stays when the answer is deleted, without its text."""

    class Label(models.TextChoices):
        SUPPORTED = "supported", "Supported"
        NOT_SUPPORTED = "not_supported", "Not supported"
        UNSURE = "unsure", "Unsure"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    run_ref = models.UUIDField(help_text="The answer's id, kept when its row is gone.")
    sentence = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    label = models.CharField(max_length=15, choices=Label.choices)
    verdict = models.CharField(max_length=15, help_text="What the check had said.")
    chance = models.FloatField(help_text="0..1, that its sources hold it, as the check had it.")
    open = models.BooleanField(help_text="Only the fitted chance decided; words, numbers and names left it open.")
    judged_by = models.CharField(
        max_length=10, blank=True, default="", help_text="Whose verdict it was; empty where the answer did not say."
    )
    at_random = models.BooleanField(help_text="Of the half of all sentences that stands for the whole.")
    verifier = models.CharField(max_length=40)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run_ref", "sentence", "by"], name="label_once_per_person")
        ]
        indexes = [
            # The last label of a person, which can be taken back.
            models.Index(fields=["tenant", "by", "-changed"], name="label_last"),
        ]

    def __str__(self) -> str:
        return f"{self.run_ref} {self.sentence}: {self.label}"


class VerificationRecord(models.Model):
    """Thresholds of a tenant, what they were fitted to, and how good they were. Never changed, only made active."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    verifier = models.CharField(max_length=40)
    supported = models.FloatField(help_text="Chance from which a sentence counts as held.")
    unsupported = models.FloatField(help_text="Chance below which it counts as not held.")
    held = models.PositiveIntegerField(help_text="Labelled sentences that their sources hold.")
    others = models.PositiveIntegerField()
    auroc = models.FloatField()
    auroc_low = models.FloatField()
    auroc_high = models.FloatField()
    balanced_accuracy = models.FloatField(help_text="On folds that the threshold was not fitted on.")
    shipped_accuracy = models.FloatField(help_text="Of the shipped threshold on the same sentences.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    active = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(active=True), name="one_active_verification_record"
            ),
            models.CheckConstraint(
                condition=models.Q(unsupported__lte=models.F("supported")), name="verification_record_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.supported:.2f} and {self.unsupported:.2f} from {self.held + self.others} sentences"
