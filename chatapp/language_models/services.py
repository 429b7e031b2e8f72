"""Writes to the catalogue, and the settings a call needs."""

from __future__ import annotations

from django.conf import settings

from chatapp.language_models.calling import connection_of
from chatapp.language_models.models import LanguageModel
from knowledge.llm import Deadlines, ModelSettings
from knowledge.tenants.models import Tenant

EXTRACTIVE = "extractive/default"


def sync_environment_model(*, tenant: Tenant) -> LanguageModel:
    """Bring the catalogue in line with LLM_MODEL and return the model that answers by default."""
    built_in, _ = LanguageModel.objects.update_or_create(
        tenant=tenant,
        slug="extractive",
        defaults={
            "name": "Extractive (no language model)",
            "model": EXTRACTIVE,
            "source": LanguageModel.Source.BUILT_IN,
            "context_window": 16384,
            "max_output_tokens": 2048,
        },
    )
    if not settings.LLM_MODEL:
        LanguageModel.objects.filter(tenant=tenant, source=LanguageModel.Source.ENVIRONMENT).delete()
        return built_in
    configured, _ = LanguageModel.objects.update_or_create(
        tenant=tenant,
        slug="environment",
        defaults={
            "name": settings.LLM_MODEL[:200],
            "model": settings.LLM_MODEL,
            "api_base": settings.LLM_API_BASE,
            "source": LanguageModel.Source.ENVIRONMENT,
            "context_window": settings.LLM_CONTEXT_WINDOW,
            "max_output_tokens": settings.LLM_MAX_OUTPUT_TOKENS,
            "native_citations": settings.LLM_NATIVE_CITATIONS,
        },
    )
    return configured


def model_settings(model: LanguageModel) -> ModelSettings:
    """Return what ``knowledge.llm`` needs to call the model.

    :raises ModelNotConfigured: its address may not be reached, or its keys can't be read.
    """
    reached = connection_of(model)
    return ModelSettings(
        model=model.model,
        api_base=reached.api_base,
        api_key=reached.api_key,
        extra=reached.extra,
        max_output_tokens=model.max_output_tokens,
        context_window=model.context_window,
        native_citations=model.native_citations,
        deadlines=Deadlines(
            first_token=settings.FIRST_TOKEN_SECONDS, gap=settings.TOKEN_GAP_SECONDS, total=settings.ANSWER_SECONDS
        ),
    )
