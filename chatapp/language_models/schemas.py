"""The public shapes of models. Keys go in and never come out; addresses are for those who may change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ninja import Schema
from pydantic import Field

from chatapp.language_models.catalogue import provider_settings
from chatapp.language_models.keys import key_names
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.presentation import prices_of
from chatapp.language_models.providers import OPTIONS
from knowledge.documents.schemas import Metadata

Texts = dict[str, str]
Number = int | None
Dollars = float | None


class ModelPatch(Schema):
    """What is left out stays."""

    name: str | None = Field(default=None, max_length=200)
    model: str | None = Field(default=None, max_length=300)
    settings: Texts | None = Field(default=None, max_length=20, description="What the provider must be told: api_base…")
    secrets: Texts | None = Field(default=None, max_length=20, description="An empty one is forgotten.")
    options: Metadata | None = None
    context_window: Number = None
    max_output_tokens: Number = None
    max_parallel: Number = None
    price_prompt: Dollars = Field(default=None, description="US dollars a million tokens; null: LiteLLM's list.")
    price_completion: Dollars = None
    fallback: str | None = Field(default=None, max_length=20, description="Id of a model that answers instead.")
    native_citations: bool | None = None
    enabled: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return what was sent. Null means empty, where something can be empty."""
        sent = self.dict(exclude_unset=True)
        can_be_empty = {"max_parallel", "price_prompt", "price_completion", "fallback"}
        return {name: value for name, value in sent.items() if value is not None or name in can_be_empty}


class ModelIn(ModelPatch):
    provider: str = Field(max_length=30)
    model: str = Field(max_length=300)
    shared: bool = Field(default=False, description="With every organisation; for operators.")


class PricesOut(Schema):
    """US dollars a million tokens."""

    prompt: float | None
    completion: float | None
    source: str = Field(description="own, list (LiteLLM's) or none.")


class ModelOut(Schema):
    id: str
    slug: str
    name: str
    model: str
    provider: str
    source: str
    enabled: bool
    shared: bool
    context_window: int
    max_output_tokens: int
    capabilities: dict[str, Any]
    prices: PricesOut

    @classmethod
    def of(cls, row: LanguageModel) -> ModelOut:
        return cls(**_row(row))


class ModelDetail(ModelOut):
    max_parallel: int | None
    native_citations: bool
    fallback: str | None
    target: str | None
    canary: str | None
    canary_share: int
    settings: Texts | None = Field(description="For those who may change it.")
    options: dict[str, Any] | None
    secrets: list[str] | None = Field(description="The names of those that are set.")

    @classmethod
    def seen(cls, row: LanguageModel, *, shows_connection: bool) -> ModelDetail:
        told = {
            "settings": provider_settings(row), "secrets": key_names(row),
            "options": {name: value for name, value in row.options.items() if name in OPTIONS},
        } if shows_connection else {"settings": None, "secrets": None, "options": None}  # fmt: skip
        return cls(
            **_row(row), **told, max_parallel=row.max_parallel, native_citations=row.native_citations,
            fallback=_id(row.fallback_id), target=_id(row.target_id), canary=_id(row.canary_id),
            canary_share=row.canary_share,
        )  # fmt: skip


class ModelList(Schema):
    items: list[ModelOut]
    next_cursor: str | None


def _row(row: LanguageModel) -> Mapping[str, Any]:
    prices = prices_of(row)
    return {
        "id": str(row.pk), "slug": row.slug, "name": row.name, "model": row.model, "provider": row.provider,
        "source": row.source, "enabled": row.enabled, "shared": row.tenant_id is None,
        "context_window": row.context_window, "max_output_tokens": row.max_output_tokens,
        "capabilities": row.capabilities,
        "prices": {"prompt": prices.prompt, "completion": prices.completion, "source": prices.source},
    }  # fmt: skip


def _id(pk: int | None) -> str | None:
    return None if pk is None else str(pk)
