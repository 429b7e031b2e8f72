"""Entries and their tests as the pages and the interface show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, Subquery

from chatapp.language_models.access import visible_models
from chatapp.language_models.catalogue import assistants_of, provider_settings
from chatapp.language_models.keys import key_names
from chatapp.language_models.models import LanguageModel, ModelTest
from chatapp.language_models.providers import OPTIONS, provider_of
from chatapp.language_models.testing import next_step
from chatapp.language_models.trials import TRIALS
from knowledge.llm import ModelSettings, price_of
from knowledge.tenants.access import Actor

__all__ = ["Card", "Prices", "cards", "detail_of", "facts_of", "prices_of", "provider_title", "trial_rows"]

MILLION = 1_000_000
JSON_WORDS = {"strict": "by a schema", "plain": "when asked in words", "no": "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars a million tokens; ``source`` is own, list or none."""

    prompt: Decimal | None
    completion: Decimal | None
    source: str

    @property
    def words(self) -> str:
        if self.prompt is None or self.completion is None:
            return "not known"
        told = f"${_money(self.prompt)} in, ${_money(self.completion)} out"
        return told if self.source == "own" else f"{told} (LiteLLM’s list)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One entry of the list."""

    model: LanguageModel
    provider: str
    prices: Prices
    test: ModelTest | None
    assistants: Sequence[str]

    @property
    def state(self) -> tuple[str, str]:
        """The class and the words of how it stands."""
        if not self.model.enabled:
            return "", "switched off"
        if self.test is None:
            return "", "not tested"
        return ("good", "works") if self.test.ok else ("bad", "failed its test")


def cards(actor: Actor) -> list[Card]:
    """Return the entries an organisation sees, by name. Three queries, however many there are."""
    newest = ModelTest.objects.filter(language_model=OuterRef("pk")).order_by("-created", "-pk").values("pk")[:1]
    rows = list(visible_models(actor).select_related("target").annotate(newest=Subquery(newest)).order_by("name", "pk"))
    tests = ModelTest.objects.in_bulk([row.newest for row in rows if row.newest])
    users = assistants_of(actor)
    return [
        Card(
            model=row, provider=provider_title(row), prices=prices_of(row), test=tests.get(row.newest),
            assistants=users.get(row.pk, []),
        )
        for row in rows
    ]  # fmt: skip


def provider_title(model: LanguageModel) -> str:
    provider = provider_of(model.provider)
    if provider is not None:
        return provider.title
    return "stands for another model" if model.is_alias else model.get_source_display()


def prices_of(model: LanguageModel) -> Prices:
    """Return an entry's own prices, or those of LiteLLM's list as it is now."""
    if model.price_prompt is not None or model.price_completion is not None:
        prompt, completion = model.price_prompt or Decimal(0), model.price_completion or Decimal(0)
        return Prices(prompt=prompt, completion=completion, source="own")
    listed = price_of(ModelSettings(model=model.model, api_base=model.api_base or None)) if model.model else None
    if listed is None:
        return Prices(prompt=None, completion=None, source="none")
    each = [Decimal(str(round(side * MILLION, 6))) for side in (listed.prompt, listed.completion)]
    return Prices(prompt=each[0], completion=each[1], source="list")


def facts_of(model: LanguageModel, *, shows_connection: bool) -> list[tuple[str, str]]:
    """Return what an entry is, by label. Addresses and keys are for those alone who may change it; of a key that it is
    set."""
    facts = [("Provider", provider_title(model))]
    if model.model:
        facts.append(("Model", model.model))
    facts += [(title, other.name) for title, other in (
        ("Stands for", model.target), ("Falls back to", model.fallback)) if other is not None]  # fmt: skip
    if model.canary is not None:
        facts.append(("Canary", f"{model.canary.name}, {model.canary_share} % of conversations"))
    if shows_connection:
        facts += _connection(model)
    facts += [
        ("Context window", f"{model.context_window:,} tokens"),
        ("Longest answer", f"{model.max_output_tokens:,} tokens"),
        ("Calls at once", f"{model.max_parallel:,} in each process" if model.max_parallel else "no limit here"),
        ("Price of a million tokens", prices_of(model).words),
        *([("Own citations", "taken too")] if model.native_citations else []),
        *_capabilities(model.capabilities),
        ("Seen by", "every organisation" if model.tenant_id is None else "this organisation"),
    ]
    return facts


def _connection(model: LanguageModel) -> list[tuple[str, str]]:
    provider = provider_of(model.provider)
    told = provider_settings(model)
    found = [("Address", model.api_base)] if model.api_base else []
    if provider is None:
        return found
    keys = set(key_names(model))
    found = [(setting.label, told[setting.name]) for setting in provider.settings if setting.name in told]
    found += [
        (setting.label, "set" if setting.name in keys else "not set")
        for setting in provider.settings
        if setting.is_secret
    ]
    return found + [(OPTIONS[name].label, str(model.options[name])) for name in OPTIONS if name in model.options]


def _capabilities(measured: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    if "streaming" in measured:
        found.append(("Streams", "yes" if measured["streaming"] else "no"))
    if "json_schema" in measured:
        found.append(("Writes JSON", JSON_WORDS.get(str(measured["json_schema"]), str(measured["json_schema"]))))
    if isinstance(measured.get("citations"), int | float):
        found.append(("Cites", f"{measured['citations']:.0%} of its sentences in the test"))
    return found


def trial_rows(test: ModelTest) -> list[dict[str, Any]]:
    """Return the trials of a test, in their order; those that were not tried are left out."""
    return [
        {**test.measured[trial], "title": title, "trial": trial}
        for trial, title in TRIALS.items()
        if trial in test.measured
    ]


def detail_of(test: ModelTest) -> dict[str, Any]:
    """Return a test in its public shape."""
    error = None
    if test.error_code:
        error = {"code": test.error_code, "message": test.error_message, "next_step": next_step(test.error_code)}
    return {
        "id": str(test.pk), "ok": test.ok, "first_token": test.first_token, "total": test.total,
        "trials": test.measured, "error": error, "created": test.created,
    }  # fmt: skip


def _money(amount: Decimal) -> str:
    text = f"{amount.normalize():f}"
    whole, _, part = text.partition(".")
    return f"{int(whole):,}.{part.ljust(2, '0')}"
