"""What a run of a provider is made of: whom to ask, for which model, with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatapp.finetuning.training.recipes import RecipeRefused, number_of
from chatapp.language_models.models import LanguageModel
from knowledge import llm

__all__ = ["HostedSettings", "can_be_asked", "settings_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedSettings:
    provider: str
    model: str  # as the provider calls what it trains from
    recipe: dict[str, Any]  # epochs, learning_rate_multiplier, batch, seed: those that were chosen
    price: float | None  # US dollars a million trained tokens, as whoever starts it says


CHOICES: Mapping[str, tuple[type, float, float, str]] = {
    "epochs": (int, 1, 50, "The number of passes over the rows"),
    "batch": (int, 1, 256, "The number of rows at once"),
    "learning_rate_multiplier": (float, 0.001, 100, "The learning rate multiplier"),
    "seed": (int, 0, 2**31 - 1, "The seed"),
}
"""What is left out is chosen by the provider, who knows its models."""
PRICE, HIGHEST_PRICE = "The price of training a million tokens, in US dollars,", 100_000


def can_be_asked(model: LanguageModel) -> bool:
    """Tell whether the provider behind an entry can be asked to fine-tune."""
    return not model.is_alias and llm.provider_for(model.model) is not None


def settings_of(
    model: LanguageModel, *, hosted_model: str, given: Mapping[str, Any], price: Any = None
) -> HostedSettings:  # fmt: skip
    """:raises RecipeRefused: the provider cannot be asked, or a setting or the price makes no sense."""
    provider = llm.provider_for(model.model) if not model.is_alias else None
    if provider is None:
        raise RecipeRefused(
            f"The provider of “{model.name}” offers no fine-tuning that can be reached from here. OpenAI, Azure and "
            "servers with OpenAI's interface do."
        )
    name = hosted_model.strip() or model.model.partition("/")[2]
    if not name or len(name) > 300 or any(ord(letter) < 33 for letter in name):
        raise RecipeRefused("Name the model to train from, as the provider calls it.")
    unknown = sorted(set(given) - set(CHOICES))
    if unknown:
        raise RecipeRefused(f"A provider takes no setting “{unknown[0]}”. It takes: {', '.join(CHOICES)}.")
    chosen = {name: value for name, value in given.items() if value not in (None, "")}
    return HostedSettings(
        provider=provider, model=name, recipe={key: _number(key, value) for key, value in sorted(chosen.items())},
        price=None if price in (None, "") else number_of(price, kind=float, least=0, most=HIGHEST_PRICE, label=PRICE),
    )  # fmt: skip


def _number(name: str, value: Any) -> float | int:
    kind, least, most, label = CHOICES[name]
    number: float | int = number_of(value, kind=kind, least=least, most=most, label=label)
    return number
