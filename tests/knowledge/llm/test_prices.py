from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from knowledge.llm import ModelSettings, Price, boot, price_of

LIST = {
    "gpt-small": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "litellm_provider": "openai"},
    "azure/small": {"input_cost_per_token": 2e-07, "output_cost_per_token": 8e-07, "litellm_provider": "azure"},
    "half": {"input_cost_per_token": 1e-07, "litellm_provider": "openai"},
    "odd": {"input_cost_per_token": "free", "output_cost_per_token": -1, "litellm_provider": "openai"},
}


@pytest.fixture(autouse=True)
def prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "loaded", lambda: SimpleNamespace(model_cost=LIST))


def price(model: str, **more: Any) -> Price | None:
    return price_of(ModelSettings(model=model, **more))


def test_a_model_of_the_list_has_its_price_with_and_without_its_provider() -> None:
    assert price("gpt-small") == price("openai/gpt-small") == Price(prompt=1.5e-07, completion=6e-07)
    assert price("azure/small", api_base="https://ours.test") == Price(prompt=2e-07, completion=8e-07)


def test_tokens_are_priced_by_their_side() -> None:
    assert Price(prompt=2.0, completion=3.0).of(prompt_tokens=10, completion_tokens=1) == 23.0


@pytest.mark.parametrize("model", ["nobody/knows", "anthropic/gpt-small", "half", "odd", "extractive/default", ""])
def test_what_is_not_known_has_no_price(model: str) -> None:
    assert price(model) is None


@pytest.mark.parametrize("model", ["openai/gpt-small", "gpt-small"])
def test_a_server_of_ones_own_is_not_priced_by_the_list(model: str) -> None:
    assert price(model, api_base="http://127.0.0.1:8000/v1") is None


def test_nothing_is_imported_to_know_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "loaded", lambda: None)
    assert price("gpt-small") is None
