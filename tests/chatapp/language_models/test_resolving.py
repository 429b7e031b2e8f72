"""Names that stand for models, canaries and fallbacks, as the settings of a call."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from chatapp.language_models.keys import seal_keys
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.resolving import MOST_FALLBACKS
from chatapp.language_models.services import model_settings
from knowledge.errors import ModelNotConfigured
from knowledge.llm import Price, price_of
from knowledge.tenants.models import Tenant

pytestmark = pytest.mark.django_db

Make = Callable[..., LanguageModel]


@pytest.fixture
def make(tenant: Any) -> Make:
    """Call with a name to get an entry of that model; without ``model`` it stands for its ``target``."""

    def entry(name: str, **fields: Any) -> LanguageModel:
        fields = {"tenant": tenant, "model": f"openai/{name}", "source": "added", **fields}
        return LanguageModel.objects.create(slug=name, name=name.title(), **fields)

    return entry


def names(model: LanguageModel, sticky: str = "") -> list[str]:
    found = model_settings(model, sticky=sticky)
    return [each.model.removeprefix("openai/") for each in (found, *found.fallbacks)]


def test_a_name_stands_for_its_version_with_the_fallbacks_of_both(make: Make) -> None:
    base, other = make("base"), make("other")
    version = make("version", fallback=base)
    name = make("name", model="", target=version, fallback=other)
    assert names(name) == ["version", "base", "other"]
    found = model_settings(name)
    assert (found.entry, found.name) == (str(version.pk), "Version")


def test_a_canary_answers_its_share_of_conversations_and_keeps_them(make: Make) -> None:
    name = make("name", model="", target=make("active"), canary=make("canary"), canary_share=20)
    ids = [f"conversation {number}" for number in range(500)]
    first = {each for each in ids if names(name, each) == ["canary"]}
    assert 60 <= len(first) <= 140
    assert {each for each in ids if names(name, each) == ["canary"]} == first
    name.canary_share = 50
    assert first < {each for each in ids if names(name, each) == ["canary"]}, "who has it keeps it when its share grows"
    name.canary_share = 100
    assert all(names(name, each) == ["canary"] for each in ids[:20])
    name.canary_share = 0
    assert all(names(name, each) == ["active"] for each in ids[:20])


def test_a_canary_that_is_switched_off_answers_nobody(make: Make) -> None:
    canary = make("canary", enabled=False)
    name = make("name", model="", target=make("active"), canary=canary, canary_share=100)
    assert names(name) == ["active"]


def test_what_is_switched_off_or_stands_for_nothing_is_passed_over(make: Make) -> None:
    last = make("last")
    empty = make("empty", model="", fallback=last)
    off = make("off", enabled=False, fallback=empty)
    assert names(make("first", fallback=off)) == ["first", "last"]
    with pytest.raises(ModelNotConfigured, match="no version that may answer"):
        model_settings(make("nothing", model=""))
    with pytest.raises(ModelNotConfigured, match="switched off"):
        model_settings(make("away", enabled=False))


def test_shared_entries_answer_for_everybody_and_others_for_nobody(make: Make) -> None:
    elsewhere = Tenant.objects.create(slug="elsewhere", name="Elsewhere")
    shared = make("shared", tenant=None)
    foreign = make("foreign", tenant=elsewhere, fallback=shared)
    assert names(make("own", fallback=foreign)) == ["own", "shared"]
    name = make("name", model="", target=foreign, fallback=shared)
    assert names(name) == ["shared"]
    own = make("mine", fallback=None)
    assert names(make("common", tenant=None, fallback=own)) == ["common"], "a shared one must not use a tenant's keys"


def test_circles_end_and_long_chains_are_cut(make: Make) -> None:
    one = make("one")
    two = make("two", fallback=one)
    one.fallback = two
    one.save()
    assert names(one) == ["one", "two"]
    loop = make("loop", model="")
    loop.target = loop
    loop.save()
    with pytest.raises(ModelNotConfigured):
        model_settings(loop)
    last: LanguageModel | None = None
    for number in range(8):
        last = make(f"link-{number}", fallback=last)
    assert last is not None
    assert len(names(last)) == 1 + MOST_FALLBACKS


def test_keys_are_unsealed_for_their_own_entry(make: Make) -> None:
    entry = make("own", options={"api_version": "2025-01-01"})
    seal_keys(entry, {"api_key": "secret-1", "aws_session": "secret-2"})
    found = model_settings(entry)
    assert (found.api_key, dict(found.extra)) == ("secret-1", {"api_version": "2025-01-01", "aws_session": "secret-2"})
    assert "secret" not in repr(found)
    stolen = make("stolen", sealed=entry.sealed, fallback=make("last"))
    assert names(stolen) == ["last"], "it cannot be called, so its fallback is"
    stolen.fallback = None
    with pytest.raises(ModelNotConfigured, match="another SECRET_KEY"):
        model_settings(stolen)


def test_own_prices_and_places_reach_the_gateway(make: Make) -> None:
    entry = make("priced", price_prompt=Decimal("0.5"), price_completion=Decimal("2"), max_parallel=3)
    found = model_settings(entry)
    assert price_of(found) == Price(prompt=0.5e-6, completion=2e-6)
    assert found.max_parallel == 3
    assert model_settings(make("listed")).price is None
