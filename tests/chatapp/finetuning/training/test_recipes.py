"""Recipes: defaults that fit the method and the data, and words for what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.finetuning.training.recipes import METHODS, Recipe, RecipeRefused, defaults, recipe_from


def test_defaults_follow_the_method_and_the_number_of_rows() -> None:
    assert {method: defaults(method, window=8192).learning_rate for method in METHODS} == {
        "lora": 2e-4, "qlora": 2e-4, "dora": 2e-4, "full": 2e-5,
    }  # fmt: skip
    few, many = defaults("lora", window=512, rows=50), defaults("lora", window=100_000, rows=5000)
    assert (few.max_length, few.epochs, few.accumulation) == (512, 5.0, 1)
    assert (many.max_length, many.epochs, many.accumulation, many.rank) == (4096, 3.0, 2, 16)


@pytest.mark.parametrize(
    ("rows", "recipe", "steps"),
    [(16, {"batch": 4, "accumulation": 1, "epochs": 6}, 24), (17, {"batch": 4, "accumulation": 2, "epochs": 1}, 3),
     (16, {"batch": 4, "accumulation": 1, "epochs": 0.25}, 1), (0, {}, 0), (3, {"epochs": 0.1}, 1)],
    ids=["even", "rest", "part", "none", "least"],
)  # fmt: skip
def test_steps_are_those_that_the_trainer_takes(rows: int, recipe: dict[str, Any], steps: int) -> None:
    assert Recipe(**recipe).steps(rows) == steps


def test_what_was_typed_in_is_read_and_the_rest_is_default() -> None:
    made = recipe_from({"method": "dora", "rank": "8", "learning_rate": "1e-3", "epochs": ""}, window=1024)
    assert (made.method, made.rank, made.learning_rate, made.epochs) == ("dora", 8, 0.001, 3.0)
    assert recipe_from(made.as_json(), window=1024) == made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "magic"}, "There is no method “magic”"),
        ({"colour": "red"}, "A recipe has no setting “colour”"),
        ({"rank": "four"}, "The rank must be a whole number."),
        ({"rank": 4.5}, "The rank must be a whole number."),
        ({"batch": True}, "The number of rows at once must be a whole number."),
        ({"learning_rate": 1}, "The learning rate must be between 1e-07 and 0.01."),
        ({"epochs": "nan"}, "The number of passes over the rows must be a number."),
        ({"epochs": float("inf")}, "must be between 0.01 and 100"),
        ({"max_length": 2048}, "this base model reads 1,024"),
        ({"early_stopping": 2, "evaluations": 0}, "Stopping early needs looks at the held-out rows."),
    ],
    ids=["method", "unknown", "word", "half", "flag", "rate", "nan", "infinite", "window", "early"],
)
def test_what_cannot_be_is_said_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeRefused) as refused:
        recipe_from(given, window=1024)
    assert said in refused.value.message
