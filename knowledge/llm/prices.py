"""What tokens cost, as far as LiteLLM's list of prices knows."""

from __future__ import annotations

import math
from typing import Any

from knowledge.llm import boot
from knowledge.llm.local import is_local
from knowledge.llm.types import ModelSettings, Price

__all__ = ["price_of"]

SERVED_ANYWHERE = ("openai/", "custom_openai/", "hosted_vllm/", "text-completion-openai/")
"""Prefixes that name a protocol: with an address of its own, the server behind it has other prices than the list."""


def price_of(settings: ModelSettings) -> Price | None:
    """Return a model's own price, or that of the list; None where it is not known, or LiteLLM was not needed so far."""
    if settings.price is not None:
        return settings.price
    model = settings.model
    elsewhere = bool(settings.api_base) and (model.startswith(SERVED_ANYWHERE) or "/" not in model)
    if is_local(model) or elsewhere or (litellm := boot.loaded()) is None:
        return None
    provider, _, name = model.partition("/")
    row = litellm.model_cost.get(model)
    if row is None and name:
        row = litellm.model_cost.get(name)
        row = row if row is not None and row.get("litellm_provider") == provider else None
    return None if row is None else _price(row)


def _price(row: dict[str, Any]) -> Price | None:
    costs = [row.get(f"{side}_cost_per_token") for side in ("input", "output")]
    numbers = [float(cost) for cost in costs if isinstance(cost, int | float) and math.isfinite(cost) and cost >= 0]
    return Price(prompt=numbers[0], completion=numbers[1]) if len(numbers) == 2 else None
