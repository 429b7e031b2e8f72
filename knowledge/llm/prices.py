"""What tokens cost, as far as LiteLLM's list of prices knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.llm.listing import row_of
from knowledge.llm.types import ModelSettings

__all__ = ["Price", "price_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars a token, of the list as it is now."""

    prompt: float
    completion: float

    def of(self, *, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the US dollars of so many tokens; discounts of providers for cached ones are not counted."""
        return self.prompt * prompt_tokens + self.completion * completion_tokens


def price_of(settings: ModelSettings) -> Price | None:
    """Return the list price of a model; None where it is not known, or LiteLLM was not needed so far."""
    row = row_of(settings)
    return None if row is None else _price(row)


def _price(row: Mapping[str, Any]) -> Price | None:
    costs = [row.get(f"{side}_cost_per_token") for side in ("input", "output")]
    numbers = [float(cost) for cost in costs if isinstance(cost, int | float) and math.isfinite(cost) and cost >= 0]
    return Price(prompt=numbers[0], completion=numbers[1]) if len(numbers) == 2 else None
