"""Recipes: how a model is trained, with defaults for each method. Pure: the trainer's own process reads them too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from knowledge.errors import KnowledgeError

__all__ = ["METHODS", "Recipe", "RecipeRefused", "defaults", "number_of", "recipe_from"]

METHODS = ("lora", "qlora", "dora", "full")

LEARNING_RATES = {"full": 2e-5, "lora": 2e-4, "dora": 2e-4, "qlora": 2e-4}
"""An adapter starts from nothing and takes steps ten times as large (reference: "LoRA without regret")."""


class RecipeRefused(KnowledgeError):
    code = "recipe_refused"
    status = 422
    default_message = "These settings of the training make no sense."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what comes out, beside the base model and the rows."""

    method: str = "lora"
    learning_rate: float = 2e-4
    epochs: float = 3.0
    batch: int = 4  # rows at once
    accumulation: int = 2  # batches that one step learns from
    max_length: int = 1024  # tokens of prompt and completion; longer rows are refused, never cut
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    rank: int = 16  # of an adapter: how many directions it may change
    alpha: int = 32
    dropout: float = 0.0
    evaluations: int = 4  # how often the held-out rows are looked at
    early_stopping: int = 0  # looks without improvement after which it ends; 0: never
    seed: int = 1

    @property
    def rows_per_step(self) -> int:
        return self.batch * self.accumulation

    def steps(self, rows: int) -> int:
        """Return how many steps that many rows take."""
        each = -(-rows // self.rows_per_step)
        return max(1, -(-round(each * self.epochs * 1000) // 1000)) if rows else 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))


LIMITS: Mapping[str, tuple[float, float, str]] = {
    "learning_rate": (1e-7, 1e-2, "The learning rate"),
    "epochs": (0.01, 100, "The number of passes over the rows"),
    "batch": (1, 512, "The number of rows at once"),
    "accumulation": (1, 1024, "The number of batches a step"),
    "max_length": (16, 1_000_000, "The longest row"),
    "warmup_share": (0, 0.5, "The share of steps to warm up"),
    "weight_decay": (0, 1, "The weight decay"),
    "rank": (1, 512, "The rank"),
    "alpha": (1, 2048, "Alpha"),
    "dropout": (0, 0.9, "The dropout"),
    "evaluations": (0, 100, "The number of looks at the held-out rows"),
    "early_stopping": (0, 100, "The number of looks without improvement"),
    "seed": (0, 2**31 - 1, "The seed"),
}


def defaults(method: str, *, window: int, rows: int = 0) -> Recipe:
    """Return the recipe somebody gets who changes nothing. ``window``: what the base model reads, in tokens.

    Few rows are looked at more often, in smaller steps: fifty rows in steps of eight would be over after twenty.

    :raises RecipeRefused: there is no such method.
    """
    if method not in METHODS:
        raise RecipeRefused(f"There is no method “{method}”. Choose one of: {', '.join(METHODS)}.")
    small = 0 < rows < 200
    return Recipe(
        method=method, learning_rate=LEARNING_RATES[method], epochs=5.0 if small else 3.0,
        accumulation=1 if small else 2, max_length=min(window, 4096),
    )  # fmt: skip


def recipe_from(given: Mapping[str, Any], *, window: int, rows: int = 0) -> Recipe:
    """Return a recipe from what was typed in or stored; what is missing has its default.

    :raises RecipeRefused: a value cannot be, said in a sentence.
    """
    unknown = sorted(set(given) - set(Recipe.names()))
    if unknown:
        raise RecipeRefused(f"A recipe has no setting “{unknown[0]}”. It has: {', '.join(Recipe.names())}.")
    base = defaults(str(given.get("method", "lora")), window=window, rows=rows)
    values = {**base.as_json(), **{name: value for name, value in given.items() if value not in (None, "")}}
    read: dict[str, Any] = {"method": base.method}
    for field in fields(Recipe):
        if field.name != "method":
            kind = float if isinstance(getattr(base, field.name), float) else int
            least, most, label = LIMITS[field.name]
            read[field.name] = number_of(values[field.name], kind=kind, least=least, most=most, label=label)
    recipe = Recipe(**read)
    if recipe.max_length > window:
        raise RecipeRefused(
            f"The longest row is set to {recipe.max_length:,} tokens, but this base model reads {window:,}. "
            "Choose a smaller number or another base model."
        )
    if recipe.early_stopping and not recipe.evaluations:
        raise RecipeRefused("Stopping early needs looks at the held-out rows. Set their number to at least 1.")
    return recipe


def number_of(value: Any, *, kind: Callable[[Any], Any], least: float, most: float, label: str) -> Any:
    """Return a setting as a number of that kind.

    :raises RecipeRefused: it is none, or out of range; said with its label.
    """
    try:
        number = kind(value)
        if isinstance(value, bool) or number != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise RecipeRefused(f"{label} must be {'a whole number' if kind is int else 'a number'}.") from error
    if not least <= number <= most:
        raise RecipeRefused(f"{label} must be between {least:g} and {most:g}.")
    return number
