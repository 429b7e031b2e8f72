"""What tokens cost: a model's own price, or as far as LiteLLM's list of prices knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from knowledge.llm.listing import row_of
from knowledge.llm.types import ModelSettings, Price

__all__ = ["price_of"]


def price_of(settings: ModelSettings) -> Price | None:
    """Return a model's own price, or that of the list; None where it is not known, or LiteLLM was not needed so far."""
    if settings.price is not None:
        return settings.price
    row = row_of(settings)
    return None if row is None else _price(row)


def _price(row: Mapping[str, Any]) -> Price | None:
    costs = [row.get(f"{side}_cost_per_token") for side in ("input", "output")]
    numbers = [float(cost) for cost in costs if isinstance(cost, int | float) and math.isfinite(cost) and cost >= 0]
    return Price(prompt=numbers[0], completion=numbers[1]) if len(numbers) == 2 else None
