"""The table of providers, held against LiteLLM itself."""

from __future__ import annotations

import re

import pytest

from chatapp.language_models.fields import cleaned_model
from chatapp.language_models.providers import OPTIONS, PROVIDERS, Provider
from knowledge.llm.boot import litellm

EVERY = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS.keys())


@EVERY
def test_litellm_knows_the_prefix_and_the_example(provider: Provider) -> None:
    model = cleaned_model(provider.example, provider=provider)
    name, route, _, _ = litellm().get_llm_provider(model)
    assert (f"{route}/", name) == (provider.prefix, provider.example)


@EVERY
def test_settings_are_asked_for_in_their_own_shape(provider: Provider) -> None:
    for setting in provider.settings:
        if setting.shape and setting.example:
            assert re.fullmatch(setting.shape, setting.example), setting
    assert set(provider.options) <= OPTIONS.keys()


@EVERY
def test_a_hosted_provider_asks_for_a_key_and_a_server_for_its_address(provider: Provider) -> None:
    assert provider.needs_key is not provider.is_local
    if provider.is_local:
        assert any(setting.kind == "address" for setting in provider.settings)
