"""What somebody typed of an entry, checked and in its proper type; every refusal is a sentence that names the field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from chatapp.language_models.addresses import checked_address
from chatapp.language_models.errors import ModelMisconfigured
from chatapp.language_models.providers import OPTIONS, Option, Provider, Setting
from knowledge.documents.services import clean_label

__all__ = ["LIMITS", "cleaned_limits", "cleaned_model", "cleaned_name", "cleaned_options", "cleaned_secrets",
           "cleaned_settings"]  # fmt: skip

LONGEST_NAME: Final = 200
LONGEST_SECRET: Final = 20_000
LIMITS: Final = {
    "context_window": ("The context window", 256, 20_000_000),
    "max_output_tokens": ("The longest answer", 16, 1_000_000),
    "max_parallel": ("The number of calls at once", 1, 10_000),
}
PRICES: Final = {"price_prompt": "The price of the prompt", "price_completion": "The price of the answer"}
_MOST_DOLLARS: Final = Decimal(100_000)

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,249}")
# LiteLLM reads what begins like this from the environment, from files or from the machine's own identity.
_REFERENCE = re.compile(r"\s*(os\.environ|oidc)/", re.IGNORECASE)
_ACCOUNT_KEYS: Final = ("project_id", "private_key_id", "private_key", "client_email", "client_id")
_TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  an address


def cleaned_name(text: object) -> str:
    """:raises ModelMisconfigured: nothing is left of it."""
    name = clean_label(str(text or ""), limit=LONGEST_NAME)
    if not name:
        raise ModelMisconfigured("A model needs a name.", field="name")
    return name


def cleaned_model(text: object, *, provider: Provider) -> str:
    """Return the LiteLLM model string; the provider's prefix may be typed or left out.

    :raises ModelMisconfigured: it is no model's name.
    """
    name = str(text or "").strip().removeprefix(provider.prefix)
    if not name:
        raise ModelMisconfigured(f"Enter the name of the model, such as {provider.example}.", field="model")
    if not _MODEL.fullmatch(name) or ".." in name or "//" in name:
        raise ModelMisconfigured(
            f"“{name[:80]}” can’t be the name of a model. It looks like {provider.example}.", field="model"
        )
    return provider.prefix + name


def cleaned_limits(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits and prices that were given; an empty price or number of calls is None.

    :raises ModelMisconfigured: one is no number, or out of range.
    """
    found: dict[str, Any] = {}
    for name, (words, least, most) in LIMITS.items():
        if name in given:
            optional = name == "max_parallel"
            found[name] = _whole(given[name], words=words, field=name, least=least, most=most, optional=optional)
    for name, words in PRICES.items():
        if name in given:
            found[name] = _dollars(given[name], words=words, field=name)
    prices = [found[name] is None for name in PRICES if name in found]
    if len(prices) == 2 and prices[0] != prices[1]:
        raise ModelMisconfigured("Enter both prices, or none of them.", field="price_prompt")
    return found


def cleaned_settings(given: Mapping[str, Any], *, provider: Provider, shared: bool) -> dict[str, str]:
    """Return what the provider must be told beside secrets, by LiteLLM's names.

    :raises ModelMisconfigured: a setting is missing, unknown, malformed, or an address that may not be reached.
    """
    known = {setting.name: setting for setting in provider.settings if not setting.is_secret}
    _refuse_unknown(given, known, provider)
    found = {}
    for name, setting in known.items():
        value = str(given.get(name) or "").strip()
        if not value:
            if setting.required:
                raise ModelMisconfigured(f"{setting.label} is missing.", field=name)
            continue
        found[name] = checked_address(value, shared=shared) if setting.kind == "address" else _shaped(setting, value)
    return found


def cleaned_secrets(given: Mapping[str, Any], *, provider: Provider, may_be_ambient: bool) -> dict[str, str]:
    """Return the secrets as they are sealed; empty ones are left out.

    :raises ModelMisconfigured: one is missing, unknown or malformed.
    """
    known = {setting.name: setting for setting in provider.settings if setting.is_secret}
    _refuse_unknown(given, known, provider)
    found = {name: _secret(known[name], str(value)) for name, value in given.items() if str(value or "").strip()}
    if not found and may_be_ambient:
        return {}
    for name, setting in known.items():
        if setting.required and name not in found:
            raise ModelMisconfigured(f"{setting.label} is missing.", field=name)
    return found


def cleaned_options(given: Mapping[str, Any], *, provider: Provider) -> dict[str, Any]:
    """Return the further arguments of a call that the provider takes; empty ones are left out.

    :raises ModelMisconfigured: one is unknown or out of range.
    """
    known = {name: OPTIONS[name] for name in provider.options}
    _refuse_unknown(given, known, provider)
    filled = {name: value for name, value in given.items() if value is not None and str(value).strip() != ""}
    return {name: _option(known[name], value) for name, value in filled.items()}


def _refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any], provider: Provider) -> None:
    for name, value in given.items():
        if name not in known and str(value or "").strip():
            raise ModelMisconfigured(f"{provider.title} takes no setting “{name[:40]}”.", field=name)


def _shaped(setting: Setting, value: str) -> str:
    if len(value) > 300 or (setting.shape and not re.fullmatch(setting.shape, value)):
        raise ModelMisconfigured(f"{setting.label} looks like {setting.example}.", field=setting.name)
    return value


def _secret(setting: Setting, value: str) -> str:
    text = value.strip()
    if len(text) > LONGEST_SECRET or _REFERENCE.match(text):
        raise ModelMisconfigured(f"{setting.label}: enter the key itself.", field=setting.name)
    if setting.kind == "credentials":
        return _service_account(setting, text)
    if not text.isascii() or any(c.isspace() or not c.isprintable() for c in text):
        raise ModelMisconfigured(f"{setting.label} holds a space or a character that no key has.", field=setting.name)
    if setting.shape and not re.fullmatch(setting.shape, text):
        raise ModelMisconfigured(f"{setting.label} is not complete.", field=setting.name)
    return text


def _service_account(setting: Setting, text: str) -> str:
    """Return the JSON anew with a service account's own parts alone: other kinds name files, hosts and programs."""
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or read.get("type") != "service_account":
        raise ModelMisconfigured(
            f"{setting.label}: paste the whole JSON file of a service account; other kinds are not taken.",
            field=setting.name,
        )
    parts = {name: read.get(name) for name in _ACCOUNT_KEYS if isinstance(read.get(name), str)}
    if not {"private_key", "client_email"} <= parts.keys():
        raise ModelMisconfigured(f"{setting.label}: the file has no private key in it.", field=setting.name)
    return json.dumps({"type": "service_account", **parts, "token_uri": _TOKEN_URI})


def _option(option: Option, value: Any) -> Any:
    if option.kind == "choice":
        if value not in option.choices:
            raise ModelMisconfigured(f"{option.label} is one of {', '.join(option.choices)}.", field=option.name)
        return value
    if option.kind == "whole":
        least, most = int(option.least), int(option.most)
        return _whole(value, words=option.label, field=option.name, least=least, most=most)
    number = _number(value)
    if number is None or not option.least <= number <= option.most:
        raise ModelMisconfigured(
            f"{option.label} is a number from {option.least:g} to {option.most:g}.", field=option.name
        )
    return float(number)


def _whole(value: Any, *, words: str, field: str, least: int, most: int, optional: bool = False) -> int | None:
    text = str(value if value is not None else "").strip()
    if not text and optional:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise ModelMisconfigured(f"{words} is a whole number from {least:,} to {most:,}.", field=field)
    return int(text)


def _dollars(value: Any, *, words: str, field: str) -> Decimal | None:
    if value is None or not str(value).strip():
        return None
    number = _number(value)
    if number is None or not 0 <= number < _MOST_DOLLARS:
        raise ModelMisconfigured(f"{words} is US dollars a million tokens, such as 0.25.", field=field)
    return number.quantize(Decimal("0.000001"))


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
