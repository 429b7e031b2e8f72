"""The catalogue of models that may answer, what calls of them used, and how much may be used."""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from chatapp.accounts.models import APIKey
from knowledge.tenants.models import Tenant


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def of_tenant(self, tenant_id: uuid.UUID) -> Self:
        """The tenant's own models and those shared with all."""
        return self.filter(Q(tenant_id=tenant_id) | Q(tenant=None))


class LanguageModel(models.Model):
    """An entry of the catalogue: a LiteLLM model string with its limits, or a name that stands for another entry."""

    class Source(models.TextChoices):
        BUILT_IN = "built_in", "Built in"
        ENVIRONMENT = "environment", "Environment"
        ADDED = "added", "Added by a person"
        SERVED = "served", "Served by this installation"
        FINE_TUNED = "fine_tuned", "Fine-tuned here"

    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="language_models",
        help_text="Empty: shared with every organisation.",
    )  # fmt: skip
    key = models.UUIDField(default=uuid.uuid4, editable=False, help_text="What its sealed secrets are bound to.")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    provider = models.CharField(max_length=30, blank=True, default="", help_text="One of providers.PROVIDERS.")
    model = models.CharField(
        max_length=300, blank=True, default="",
        help_text="A LiteLLM model string, such as openai/gpt-4o-mini. Empty where it stands for another entry.",
    )  # fmt: skip
    api_base = models.CharField(max_length=500, blank=True, default="")
    sealed = models.TextField(blank=True, default="", editable=False, help_text="Its keys, encrypted.")
    options = models.JSONField(default=dict, blank=True, help_text="Further LiteLLM arguments, such as api_version.")
    source = models.CharField(max_length=20, choices=Source.choices)
    enabled = models.BooleanField(default=True)
    context_window = models.PositiveIntegerField(default=8192, help_text="Tokens.")
    max_output_tokens = models.PositiveIntegerField(default=1024)
    max_parallel = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Calls at once, of one process.")
    price_prompt = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True,
        help_text="US dollars a million tokens. Empty: LiteLLM's list.",
    )  # fmt: skip
    price_completion = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    native_citations = models.BooleanField(
        default=False,
        help_text="Hand passages over as documents and take the provider's own citations too (anthropic/, cohere/).",
    )
    capabilities = models.JSONField(
        default=dict, blank=True, help_text="What its last test measured or a person said: json_schema, citations."
    )
    fallback = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        help_text="Answers when this one does not, before its first token.",
    )  # fmt: skip
    # A fine-tuned model's own name stands for the version that is active; the registry sets these.
    target = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    canary = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    canary_share = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(100)], help_text="Percent of conversations the canary answers."
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    objects = LanguageModelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="language_model_slug_per_tenant"),
            models.UniqueConstraint(fields=["slug"], condition=Q(tenant=None), name="language_model_shared_slug"),
            models.CheckConstraint(condition=Q(canary_share__lte=100), name="language_model_canary_share"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_alias(self) -> bool:
        """It has no model of its own and stands for another entry."""
        return not self.model


class ModelTest(models.Model):
    """What a model did when it was tried on its test page. Milliseconds."""

    language_model = models.ForeignKey(LanguageModel, on_delete=models.CASCADE, related_name="tests")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    ok = models.BooleanField()
    first_token = models.FloatField(null=True)
    total = models.FloatField(null=True)
    measured = models.JSONField(default=dict, help_text="By trial (hello, json, citations): what was asked and said.")
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # The newest test of one model.
            models.Index(fields=["language_model", "-created"], name="model_test_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.language_model} {self.created:%Y-%m-%d %H:%M}"


SPENT = ("cost", "prompt_tokens", "completion_tokens")


class UsageEntry(models.Model):
    """One call of a model: what it used and cost, also when it failed or was stopped. It is never changed."""

    class Status(models.TextChoices):
        OK = "ok", "Answered"
        CANCELLED = "cancelled", "Stopped"
        FAILED = "failed", "Failed"

    class Purpose(models.TextChoices):
        ANSWER = "answer", "Answer"
        REWRITE = "rewrite", "Question written anew"
        REPAIR = "repair", "Sentence or output written anew"
        CHECK = "check", "Sentences checked"
        TEST = "test", "Test of the model"
        SYNTHESIS = "synthesis", "Training rows written"
        TRAINING = "training", "Training"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    api_key = models.ForeignKey(APIKey, null=True, on_delete=models.SET_NULL, related_name="+")
    language_model = models.ForeignKey(LanguageModel, null=True, on_delete=models.SET_NULL, related_name="+")
    model = models.CharField(max_length=300, help_text="The LiteLLM model string, kept when the entry is gone.")
    run_ref = models.UUIDField(null=True, help_text="The answer it belongs to.")
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    status = models.CharField(max_length=10, choices=Status.choices)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_detail = models.CharField(
        max_length=100, blank=True, default="", help_text="Status and kind of the provider's error, without its words."
    )
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    estimated = models.BooleanField(default=False, help_text="Counted here, since the model did not say.")
    # US dollars a million tokens as they were then; empty when nobody knew.
    price_prompt = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    price_completion = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    cost = models.DecimalField(max_digits=14, decimal_places=9, null=True, help_text="US dollars.")
    first_token = models.FloatField(null=True, help_text="Milliseconds.")
    total = models.FloatField(null=True, help_text="Milliseconds.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # What a tenant, a person or a key has used since a day. Budgets are asked about before every question, so
            # what they add up stands in the index itself.
            models.Index(fields=["tenant", "created", *SPENT], name="usage_spent_tenant"),
            models.Index(fields=["tenant", "user", "created", *SPENT], name="usage_spent_person"),
            models.Index(fields=["api_key", "created", *SPENT], name="usage_spent_key"),
            # The newest calls of a model: whether it works.
            models.Index(fields=["language_model", "-created"], name="usage_newest_of_model"),
            # The calls of one answer.
            models.Index(fields=["run_ref"], name="usage_of_run"),
        ]
        verbose_name_plural = "usage entries"

    def __str__(self) -> str:
        return f"{self.model} {self.created:%Y-%m-%d %H:%M}"


class Budget(models.Model):
    """How much a tenant, a person in it or one of its keys may use in a day or a month (UTC)."""

    class Period(models.TextChoices):
        DAY = "day", "Day"
        MONTH = "month", "Month"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    # Both empty: the whole tenant.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    api_key = models.ForeignKey(APIKey, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    period = models.CharField(max_length=5, choices=Period.choices, default=Period.MONTH)
    dollars = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    tokens = models.PositiveBigIntegerField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(user=None) | Q(api_key=None), name="budget_of_one"),
            models.CheckConstraint(
                condition=Q(dollars__isnull=False) | Q(tokens__isnull=False), name="budget_limits_something"
            ),
            models.UniqueConstraint(
                fields=["tenant", "period"], condition=Q(user=None, api_key=None), name="budget_of_tenant"
            ),
            models.UniqueConstraint(
                fields=["tenant", "user", "period"], condition=Q(user__isnull=False), name="budget_of_person"
            ),
            models.UniqueConstraint(
                fields=["api_key", "period"], condition=Q(api_key__isnull=False), name="budget_of_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} a {self.period}"
