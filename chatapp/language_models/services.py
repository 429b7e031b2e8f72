"""Writes to the catalogue, and the settings a call needs."""

from __future__ import annotations

import logging
from dataclasses import replace

from django.conf import settings

from chatapp.language_models.calling import connection_of
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.resolving import chain_of
from knowledge.errors import ModelNotConfigured
from knowledge.llm import Deadlines, ModelSettings, Price
from knowledge.tenants.models import Tenant

logger = logging.getLogger(__name__)

EXTRACTIVE = "extractive/default"

MILLION = 1_000_000


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


def model_settings(model: LanguageModel, *, sticky: str = "") -> ModelSettings:
    """Return what ``knowledge.llm`` needs to call the model, with those that answer when it does not.

    A name that stands for versions is resolved: a canary answers its share of conversations, and ``sticky``, the id of
    one, has it answered by the same version from beginning to end. ``entry`` is the id of the entry that is called.

    :raises ModelNotConfigured: nothing can be called, in words: there is no entry, or none whose address may be reached
        and whose keys can be read.
    """
    chain, failed = [], None
    for entry in chain_of(model, sticky=sticky):
        try:
            chain.append(settings_of(entry))
        except ModelNotConfigured as error:
            logger.warning("the language model %s is passed over: %s", entry.pk, error)
            failed = failed or error
    if not chain:
        raise failed or ModelNotConfigured
    return replace(chain[0], fallbacks=tuple(chain[1:]))


def settings_of(model: LanguageModel) -> ModelSettings:
    """Return how to call this very entry, be it switched off, and nothing that answers in its place.

    :raises ModelNotConfigured: its address may not be reached, or its keys can't be read; in words.
    """
    reached = connection_of(model)
    return ModelSettings(
        model=model.model,
        name=model.name,
        entry=str(model.pk),
        api_base=reached.api_base,
        api_key=reached.api_key,
        extra=reached.extra,
        max_output_tokens=model.max_output_tokens,
        context_window=model.context_window,
        native_citations=model.native_citations,
        max_parallel=model.max_parallel,
        price=_price_of(model),
        deadlines=Deadlines(
            first_token=settings.FIRST_TOKEN_SECONDS, attempts=settings.ATTEMPTS_SECONDS,
            gap=settings.TOKEN_GAP_SECONDS, total=settings.ANSWER_SECONDS,
        ),
    )  # fmt: skip


def _price_of(model: LanguageModel) -> Price | None:
    """Return the price that an administrator set; one side alone leaves the other without cost."""
    prompt, completion = model.price_prompt, model.price_completion
    if prompt is None and completion is None:
        return None
    return Price(prompt=float(prompt or 0) / MILLION, completion=float(completion or 0) / MILLION)
