"""What an answer cost, kept with the price of its day: lists of prices change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knowledge.llm import ModelSettings, price_of

__all__ = ["cost_of"]

MILLION = 1_000_000


def cost_of(*calls: tuple[ModelSettings, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is added to the usage of a run: US dollars for all calls, each a model with its tokens, and the price
    that the first was reckoned with.

    Nothing where no token was used or nobody knows a price.
    """
    priced = [
        (price_of(model), used) for model, used in calls if used.get("prompt_tokens") or used.get("completion_tokens")
    ]
    prices = [price for price, _ in priced if price is not None]
    if not prices or len(prices) < len(priced):
        return {}
    total = sum(
        price.of(prompt_tokens=used["prompt_tokens"], completion_tokens=used["completion_tokens"])
        for price, (_, used) in zip(prices, priced, strict=True)
    )
    return {
        "cost": {
            "currency": "USD",
            "total": round(total, 9),
            "prompt_per_million": round(prices[0].prompt * MILLION, 6),
            "completion_per_million": round(prices[0].completion * MILLION, 6),
        }
    }
