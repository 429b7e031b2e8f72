"""The catalogue of models that may answer."""

from __future__ import annotations

from django.db import models

from knowledge.tenants.models import Tenant


class LanguageModel(models.Model):
    """An entry of the catalogue: a LiteLLM model string with its limits."""

    class Source(models.TextChoices):
        BUILT_IN = "built_in", "Built in"
        ENVIRONMENT = "environment", "Environment"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="language_models")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    model = models.CharField(max_length=300, help_text="A LiteLLM model string, such as openai/gpt-4o-mini.")
    api_base = models.CharField(max_length=500, blank=True, default="")
    source = models.CharField(max_length=20, choices=Source.choices)
    context_window = models.PositiveIntegerField(default=8192, help_text="Tokens.")
    max_output_tokens = models.PositiveIntegerField(default=1024)
    native_citations = models.BooleanField(
        default=False,
        help_text="Hand passages over as documents and take the provider's own citations too (anthropic/, cohere/).",
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="language_model_slug_per_tenant")]

    def __str__(self) -> str:
        return self.name
