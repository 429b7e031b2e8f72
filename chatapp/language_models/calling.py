"""What LiteLLM is handed to reach one entry: its address, its keys and its options, judged once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings

from chatapp.language_models.addresses import check_reachable
from chatapp.language_models.keys import keys_of
from chatapp.language_models.models import LanguageModel
from knowledge.errors import EgressError, ModelNotConfigured, SecretsUnreadable

__all__ = ["Connection", "connection_of"]

SERVED_HERE: Final = frozenset({"footnote", "vllm"})
"""Providers of versions that servers of this installation answer for; their addresses are the operator's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    api_base: str | None
    api_key: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)  # further arguments; keys of some providers too


def connection_of(model: LanguageModel) -> Connection:
    """Return how to reach an entry. Looks a name up where an organisation entered the address itself.

    :raises ModelNotConfigured: the address may not be reached, or the keys can't be read; in words.
    """
    if model.source == LanguageModel.Source.ENVIRONMENT:
        return Connection(api_base=model.api_base or None, api_key=settings.LLM_API_KEY or None, extra=model.options)
    try:
        if model.api_base and _is_an_organisations(model):
            check_reachable(model.api_base)
        keys = keys_of(model)
    except (EgressError, SecretsUnreadable) as err:
        raise ModelNotConfigured(f"“{model.name}” can’t be called. {err.message}") from err
    api_key = keys.pop("api_key", None)
    return Connection(api_base=model.api_base or None, api_key=api_key, extra={**model.options, **keys})


def _is_an_organisations(model: LanguageModel) -> bool:
    """Whether an organisation entered the address: its own entries, and versions that were trained through one."""
    if model.tenant_id is None or not model.provider:  # without a provider it is a row of the operators' admin
        return False
    source = LanguageModel.Source
    return model.source == source.ADDED or (model.source == source.FINE_TUNED and model.provider not in SERVED_HERE)
