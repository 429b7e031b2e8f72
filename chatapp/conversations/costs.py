"""What an answer cost, kept with the price of its day: lists of prices change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knowledge.llm import ModelSettings, price_of

__all__ = ["cost_of"]

MILLION = 1_000_000


def cost_of(model: ModelSettings, usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is added to the usage of a run: US dollars and the price they were reckoned with.

    Nothing where no token was used or nobody knows the price.
    """
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    price = price_of(model) if prompt or completion else None
    if price is None:
        return {}
    return {
        "cost": {
            "currency": "USD",
            "total": round(price.of(prompt_tokens=prompt, completion_tokens=completion), 9),
            "prompt_per_million": round(price.prompt * MILLION, 6),
            "completion_per_million": round(price.completion * MILLION, 6),
        }
    }
