"""What is typed of a model, and what is refused: LiteLLM's arguments read files and name hosts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from chatapp.language_models.errors import ModelMisconfigured
from chatapp.language_models.fields import (
    cleaned_limits,
    cleaned_model,
    cleaned_options,
    cleaned_secrets,
    cleaned_settings,
)
from chatapp.language_models.providers import PROVIDERS

ACCOUNT = {"type": "service_account", "private_key": "-----BEGIN", "client_email": "a@b", "project_id": "p"}


@pytest.mark.parametrize(
    ("provider", "typed", "model"),
    [
        ("openai", "gpt-5-mini", "openai/gpt-5-mini"),
        ("openai", " openai/gpt-5-mini ", "openai/gpt-5-mini"),
        ("groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("ollama", "qwen3:4b", "ollama_chat/qwen3:4b"),
        ("llama_cpp", "local", "openai/local"),
    ],
)
def test_the_prefix_may_be_typed_or_left_out(provider: str, typed: str, model: str) -> None:
    assert cleaned_model(typed, provider=PROVIDERS[provider]) == model


@pytest.mark.parametrize("typed", ["", "  ", "../x", "a//b", "a b", "x?y=1", "x#y", "x\n", "é", "http://x", "a" * 251])
def test_what_can_be_no_name_of_a_model_is_refused(typed: str) -> None:
    if typed.strip() == "x":
        assert cleaned_model(typed, provider=PROVIDERS["openai"]) == "openai/x"
        return
    with pytest.raises(ModelMisconfigured):
        cleaned_model(typed, provider=PROVIDERS["openai"])


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        ("bedrock", {"aws_region_name": "x@127.0.0.1/#"}),
        ("bedrock", {"aws_region_name": "us-east-1", "aws_sts_endpoint": "http://127.0.0.1"}),
        ("bedrock", {"aws_region_name": "us-east-1", "aws_profile_name": "default"}),
        ("bedrock", {}),
        ("vertex_ai", {"vertex_project": "my-project-123", "vertex_location": "evil.test/"}),
        ("vertex_ai", {"vertex_project": "../../other", "vertex_location": "us-central1"}),
        ("azure", {"api_base": "https://93.184.216.34", "api_version": "2024-10-21&x=1"}),
        ("openai", {"api_base": "https://93.184.216.34/v1"}),
        ("openai", {"organization": "x"}),
    ],
    ids=["region", "endpoint", "profile", "missing", "location", "project", "version", "address", "unknown"],
)
def test_settings_that_could_lead_elsewhere_are_refused(provider: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ModelMisconfigured):
        cleaned_settings(settings, provider=PROVIDERS[provider], shared=False)


@pytest.mark.parametrize(
    "key",
    ["os.environ/SECRET_KEY", "OS.ENVIRON/X", "oidc/file//etc/passwd", "two words", "line\nbreak", "é", "k" * 20_001],
)
def test_what_can_be_no_key_is_refused(key: str) -> None:
    with pytest.raises(ModelMisconfigured):
        cleaned_secrets({"api_key": key}, provider=PROVIDERS["openai"], may_be_ambient=False)


def test_a_key_is_needed_but_where_the_machine_has_its_own() -> None:
    with pytest.raises(ModelMisconfigured, match="API key is missing"):
        cleaned_secrets({"api_key": ""}, provider=PROVIDERS["openai"], may_be_ambient=False)
    assert cleaned_secrets({"api_key": ""}, provider=PROVIDERS["openai"], may_be_ambient=True) == {}
    assert cleaned_secrets({}, provider=PROVIDERS["vllm"], may_be_ambient=False) == {}
    half = {"aws_access_key_id": "AKIAABCDEFGHIJKLMNOP"}
    with pytest.raises(ModelMisconfigured, match="Secret access key"):
        cleaned_secrets(half, provider=PROVIDERS["bedrock"], may_be_ambient=True)


@pytest.mark.parametrize(
    "credentials",
    [
        "/etc/passwd",
        "{}",
        "[]",
        json.dumps({**ACCOUNT, "type": "external_account", "credential_source": {"executable": {"command": "id"}}}),
        json.dumps({**ACCOUNT, "type": "authorized_user"}),
        json.dumps({"type": "service_account"}),
    ],
    ids=["path", "empty", "list", "program", "user", "half"],
)
def test_credentials_that_name_files_or_programs_are_refused(credentials: str) -> None:
    with pytest.raises(ModelMisconfigured):
        cleaned_secrets({"vertex_credentials": credentials}, provider=PROVIDERS["vertex_ai"], may_be_ambient=False)


def test_a_service_account_keeps_its_own_parts_alone() -> None:
    typed = {**ACCOUNT, "token_uri": "http://127.0.0.1/steal", "universe_domain": "evil.test"}
    found = cleaned_secrets(
        {"vertex_credentials": json.dumps(typed)}, provider=PROVIDERS["vertex_ai"], may_be_ambient=False
    )
    kept = json.loads(found["vertex_credentials"])
    assert kept == {**ACCOUNT, "token_uri": "https://oauth2.googleapis.com/token"}


def test_options_are_those_of_the_provider() -> None:
    options = {"temperature": "0.2", "seed": "7", "top_p": ""}
    assert cleaned_options(options, provider=PROVIDERS["vllm"]) == {"temperature": 0.2, "seed": 7}
    for wrong in ({"temperature": "3"}, {"seed": "1.5"}, {"reasoning_effort": "most"}, {"extra_headers": {"X": "y"}}):
        with pytest.raises(ModelMisconfigured):
            cleaned_options(wrong, provider=PROVIDERS["vllm"])
    with pytest.raises(ModelMisconfigured, match="takes no setting"):
        cleaned_options({"num_ctx": 4096}, provider=PROVIDERS["openai"])


def test_limits_and_prices() -> None:
    given = {"context_window": "32000", "max_parallel": "", "price_prompt": "0.25", "price_completion": 2}
    assert cleaned_limits(given) == {
        "context_window": 32_000, "max_parallel": None, "price_prompt": Decimal("0.250000"),
        "price_completion": Decimal("2.000000"),
    }  # fmt: skip
    for name, value in (
        ("context_window", "0"), ("max_output_tokens", "-1"), ("max_parallel", "0"), ("price_prompt", "NaN"),
        ("price_completion", "-1"), ("context_window", "1e9"), ("price_prompt", "1e9"),
    ):  # fmt: skip
        with pytest.raises(ModelMisconfigured):
            cleaned_limits({name: value})
    with pytest.raises(ModelMisconfigured, match="both prices"):
        cleaned_limits({"price_prompt": "1", "price_completion": ""})
