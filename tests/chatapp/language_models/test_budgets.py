"""Budgets of organisations, people and keys, and the ledger they add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chatapp.accounts.models import APIKey
from chatapp.language_models import budgets
from chatapp.language_models.budgets import BudgetExhausted, ensure_within, remaining
from chatapp.language_models.models import Budget, LanguageModel, UsageEntry
from chatapp.language_models.usage import Ledger, record
from knowledge.llm import Metered, ModelSettings, Price, Usage
from knowledge.tenants.access import Actor, actor_for
from knowledge.tenants.models import Tenant

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
PRICE = Price(prompt=1e-6, completion=5e-6)
ANSWER = UsageEntry.Purpose.ANSWER


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def actor(owner: Any) -> Actor:
    found = actor_for(user_id=owner.pk)
    assert found is not None
    return found


@pytest.fixture
def spend(actor: Actor) -> Callable[..., None]:
    """Call with tokens written (200,000 of them are a dollar) and who spent them when."""

    def write(tokens: int, *, by: Actor = actor, when: datetime = NOW) -> None:
        usage = Usage(prompt_tokens=0, completion_tokens=tokens, estimated=False)
        call = Metered(settings=ModelSettings(model="m", price=PRICE), status="ok", usage=usage)
        record([call], actor=by, purpose=ANSWER)
        UsageEntry.objects.filter(created=NOW).update(created=when)

    return write


def test_without_a_budget_one_question_is_asked_of_the_database(
    actor: Actor, spend: Any, django_assert_num_queries: Any
) -> None:
    spend(10**6)
    with django_assert_num_queries(1):
        ensure_within(actor)
    Budget.objects.create(tenant_id=actor.tenant_id, dollars=100)
    with django_assert_num_queries(3):
        ensure_within(actor)
    with django_assert_num_queries(2):  # what was used up to the day before yesterday is known
        ensure_within(actor)


def test_a_month_adds_up_whatever_is_known_of_it_already(
    actor: Actor, spend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Budget.objects.create(tenant_id=actor.tenant_id, tokens=10_000)
    for days in (0, 1, 2, 20, 26, 27):  # the last one is of October
        spend(100, when=NOW - timedelta(days=days))
        assert remaining(actor)[0].tokens <= 500
    monkeypatch.setattr(budgets, "_closed", budgets._closed.__wrapped__)
    assert remaining(actor)[0].tokens == 500
    monkeypatch.undo()
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(days=1))
    assert [remaining(actor)[0].tokens for _ in range(2)] == [500, 500], "on another day it is summed up anew"


def test_a_budget_that_is_used_up_says_so_and_when_it_begins_anew(actor: Actor, spend: Any) -> None:
    Budget.objects.create(tenant_id=actor.tenant_id, dollars=10)
    spend(1_999_999)
    ensure_within(actor)
    spend(1)
    with pytest.raises(BudgetExhausted) as caught:
        ensure_within(actor)
    assert caught.value.message == (
        "The budget of your organisation for November is used up (10.00 of 10.00 US dollars); it begins anew on "
        "1 December."
    )
    assert (caught.value.status, caught.value.retry_after) == (429, 3 * 86_400 + 12 * 3_600)


def test_tokens_of_a_day_are_a_budget_too(actor: Actor, spend: Any) -> None:
    Budget.objects.create(tenant_id=actor.tenant_id, tokens=1000, period="day", user_id=actor.user_id)
    spend(5000, when=NOW - timedelta(days=1))
    ensure_within(actor)
    spend(1500)
    with pytest.raises(BudgetExhausted) as caught:
        ensure_within(actor)
    assert caught.value.message == (
        "Your own budget for today is used up (1,500 of 1,000 tokens); it begins anew at midnight (UTC)."
    )


def test_each_counts_what_is_its_own(actor: Actor, member: Any, spend: Any) -> None:
    key = APIKey.objects.create(
        tenant_id=actor.tenant_id, user_id=actor.user_id, name="nightly", prefix="x", digest="x"
    )
    colleague = actor_for(user_id=member.pk)
    assert colleague is not None
    with_key = replace(actor, api_key_id=key.pk)
    for fields in ({}, {"user_id": actor.user_id}, {"user_id": member.pk}, {"api_key": key}):
        Budget.objects.create(tenant_id=actor.tenant_id, tokens=1000, **fields)
    spend(100), spend(200, by=colleague), spend(400, by=with_key)
    used = {(each.of, each.tokens) for each in remaining(with_key)}
    assert used == {("organisation", 700), ("person", 500), ("key", 400)}
    assert {(each.of, each.tokens) for each in remaining(actor)} == {("organisation", 700), ("person", 500)}
    assert {(each.of, each.tokens) for each in remaining(colleague)} == {("organisation", 700), ("person", 200)}
    spend(700, by=with_key)
    with pytest.raises(BudgetExhausted, match="organisation"):
        ensure_within(colleague)
    Budget.objects.filter(user=None, api_key=None).delete()
    with pytest.raises(BudgetExhausted, match="Your own"):
        ensure_within(actor)
    Budget.objects.filter(user_id=actor.user_id).delete()
    ensure_within(actor)
    with pytest.raises(BudgetExhausted, match="the key “nightly”"):
        ensure_within(with_key)


def test_other_organisations_spend_their_own(actor: Actor, spend: Any) -> None:
    elsewhere = Tenant.objects.create(slug="elsewhere", name="Elsewhere")
    Budget.objects.create(tenant=elsewhere, tokens=10)
    Budget.objects.create(tenant_id=actor.tenant_id, tokens=10, user_id=actor.user_id)
    spend(50, by=replace(actor, tenant_id=elsewhere.pk))
    assert [each.tokens for each in remaining(actor)] == [0]


def test_what_is_left_is_told_of_what_runs_out_first(actor: Actor, spend: Any) -> None:
    Budget.objects.create(tenant_id=actor.tenant_id, dollars=10, tokens=10_000_000)
    spend(1_800_000)
    (found,) = remaining(actor)
    assert found.left == pytest.approx(0.1)
    assert found.left < budgets.LOW
    assert found.running_low.startswith("The budget of your organisation for November runs low: 9.00 of 10.00 US")
    assert found.public()["resets"] == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(("at", "until"), [("2026-12-31T23:59", "2027-01-01"), ("2028-02-29T00:00", "2028-03-01")])
def test_months_end_in_utc(actor: Actor, monkeypatch: pytest.MonkeyPatch, at: str, until: str) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromisoformat(at).replace(tzinfo=UTC))
    Budget.objects.create(tenant_id=actor.tenant_id, dollars=1)
    assert remaining(actor)[0].resets.date().isoformat() == until


# --- the ledger ----------------------------------------------------------------------------------


def test_a_call_is_written_once_with_its_price(actor: Actor) -> None:
    entry = LanguageModel.objects.create(
        tenant_id=actor.tenant_id, slug="m", name="M", model="openai/m", source="added"
    )
    settings = ModelSettings(model="openai/m", entry=str(entry.pk), price=PRICE)
    ledger = Ledger(actor)
    tell = ledger.meter(ANSWER)
    usage = Usage(prompt_tokens=1000, completion_tokens=100, estimated=True)
    tell(Metered(settings=settings, status="cancelled", usage=usage, first_token=12.5, total=80.0))
    ledger.write()
    ledger.write()
    row = UsageEntry.objects.get()
    assert (row.status, row.estimated, row.language_model, row.user_id) == ("cancelled", True, entry, actor.user_id)
    assert (row.price_prompt, row.price_completion) == (Decimal("1.000000"), Decimal("5.000000"))
    assert row.cost == Decimal("0.0015")
    assert (row.first_token, row.total) == (12.5, 80.0)


def test_what_nobody_knows_the_price_of_has_no_cost(actor: Actor) -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=1, estimated=False)
    calls = [Metered(settings=ModelSettings(model="openai/own", api_base="http://own"), status="ok", usage=usage)]
    record(calls, actor=actor, purpose=UsageEntry.Purpose.TEST)
    assert UsageEntry.objects.get().cost is None


def test_a_failed_write_is_tried_again_with_all_of_it(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(actor)
    usage = Usage(prompt_tokens=1, completion_tokens=1, estimated=False)
    ledger.meter(ANSWER)(Metered(settings=ModelSettings(model="m"), status="ok", usage=usage))
    with monkeypatch.context() as broken:
        broken.setattr(UsageEntry.objects, "bulk_create", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.write()
    ledger.write()
    assert UsageEntry.objects.count() == 1
