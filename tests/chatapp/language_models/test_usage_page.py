"""The page and the API of usage and budgets: administrators only, of their own organisation only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatapp.accounts.models import APIKey
from chatapp.accounts.services import issue_api_key
from chatapp.language_models.models import Budget, LanguageModel, UsageEntry
from chatapp.language_models.reports import report_of
from knowledge.tenants.access import Actor

pytestmark = pytest.mark.django_db

PAGE = "/models/usage/"


@pytest.fixture
def spent(tenant: Any, owner: Any, member: Any, other_tenant: Any) -> LanguageModel:
    """Four calls of this month: two models, two people, a key, one failure; and one of another organisation."""
    model = LanguageModel.objects.create(tenant=tenant, slug="m", name="Large", model="openai/large", source="added")
    key = APIKey.objects.create(tenant=tenant, user=owner, name="nightly", prefix="fn_1234", digest="d")

    def call(**fields: Any) -> UsageEntry:
        plain = {
            "tenant": tenant, "user": owner, "language_model": model, "model": "openai/large", "purpose": "answer",
            "status": "ok", "prompt_tokens": 1000, "completion_tokens": 100,
        }  # fmt: skip
        return UsageEntry.objects.create(**{**plain, **fields})

    call(cost=Decimal("1.5"))
    call(cost=Decimal("2"), user=member, status="cancelled")
    call(cost=Decimal("0.25"), api_key=key, purpose="rewrite")
    call(language_model=None, model="openai/other", status="failed", error_code="model_unavailable")
    call(tenant=other_tenant, cost=Decimal("99"), language_model=None, user=None)
    return model


@pytest.fixture
def client_of(client: Client) -> Callable[[Any], Client]:
    def sign_in(user: Any) -> Client:
        client.force_login(user)
        return client

    return sign_in


def test_a_report_puts_calls_together_by_what_they_have_in_common(admin: Actor, spent: Any) -> None:
    report = report_of(admin)
    assert (report.total.calls, report.total.dollars, report.total.unpriced, report.total.failed) == (
        4, Decimal("3.75"), 1, 1,
    )  # fmt: skip
    found = {part: [(each.name, each.calls) for each in lines] for part, lines in report.parts.items()}
    assert found["model"] == [("Large", 3), ("openai/other", 1)]
    assert found["person"] == [("member@acme.test", 1), ("owner@acme.test", 3)], "most expensive first"
    assert dict(found["key"]) == {"without a key: in the browser, by jobs": 3, "nightly": 1}
    assert dict(found["purpose"]) == {"Answer": 3, "Question written anew": 1}
    assert [(each.name, each.detail) for each in report.parts["status"]][-1] == ("Failed", "unavailable")
    assert report_of(admin, month=report.before).total.calls == 0
    assert report_of(admin, month="2026-13").month == report.month, "what is no month is this one"


def test_the_page_shows_usage_and_budgets(client_of: Any, owner: Any, spent: Any) -> None:
    Budget.objects.create(tenant=spent.tenant, dollars=4)
    # A token is random, so that any digits may stand in it.
    text = re.sub(r'value="\w{64}"', "", client_of(owner).get(PAGE).content.decode())
    for words in ("Large", "member@acme.test", "nightly", "3.7500", "3.75 of 4.00 US dollars used in", "runs low"):
        assert words in text
    assert "99" not in text.replace("99999", ""), "of another organisation"


@pytest.mark.parametrize("role", ["member", "reader", "editor"])
def test_others_see_nothing_of_it(client_of: Any, make_user: Any, tenant: Any, spent: Any, role: str) -> None:
    user = make_user(f"{role}@x.test", tenant=tenant, role=role)
    page = client_of(user)
    budget = Budget.objects.create(tenant=tenant, dollars=4)
    assert page.get(PAGE).status_code == 403
    assert page.post(f"{PAGE}budgets", {"whose": "organisation", "period": "day", "dollars": "1"}).status_code == 403
    assert page.post(f"{PAGE}budgets/{budget.pk}/remove").status_code == 403
    assert [each.pk for each in Budget.objects.all()] == [budget.pk]


def test_a_budget_is_set_changed_and_removed(client_of: Any, owner: Any, member: Any, spent: Any) -> None:
    page = client_of(owner)
    for dollars in ("10", "12.50"):
        answer = page.post(
            f"{PAGE}budgets", {"whose": f"person:{member.pk}", "period": "day", "dollars": dollars}, follow=True
        )
        assert answer.redirect_chain == [(PAGE, 302)]
    budget = Budget.objects.get()
    assert (budget.user, budget.period, budget.dollars, budget.tokens) == (member, "day", Decimal("12.5"), None)
    page.post(f"{PAGE}budgets/{budget.pk}/remove")
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Say how many US dollars or tokens"),
        ({"dollars": "ten"}, "must be a number such as"),
        ({"dollars": "0"}, "must be more than 0"),
        ({"dollars": "NaN"}, "must be more than 0"),
        ({"dollars": "1e99"}, "must be more than 0"),
        ({"dollars": "0.00001"}, "at most four decimal places"),
        ({"tokens": "-5"}, "must be a whole number"),
        ({"tokens": "9" * 40}, "must be a whole number"),
        ({"dollars": "1", "period": "year"}, "of a day or a month"),
        ({"dollars": "1", "whose": "planet"}, "Choose whom"),
    ],
)
def test_what_makes_no_budget_is_refused_in_words(
    client_of: Any, owner: Any, given: dict[str, str], words: str
) -> None:
    answer = client_of(owner).post(f"{PAGE}budgets", {"whose": "organisation", "period": "month", **given})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Budget.objects.exists()


def test_budgets_of_strangers_are_not_there(
    client_of: Any, owner: Any, other_tenant: Any, make_user: Any, spent: Any
) -> None:
    stranger = make_user("stranger@globex.test", tenant=other_tenant)
    theirs = Budget.objects.create(tenant=other_tenant, dollars=1)
    key = APIKey.objects.create(tenant=other_tenant, user=stranger, name="k", prefix="p", digest="x")
    page = client_of(owner)
    assert page.post(f"{PAGE}budgets/{theirs.pk}/remove").status_code == 404
    for whose in (f"person:{stranger.pk}", f"key:{key.pk}", "person:999999"):
        answer = page.post(f"{PAGE}budgets", {"whose": whose, "period": "day", "dollars": "1"})
        assert answer.status_code == 404
    assert Budget.objects.get() == theirs


def test_the_interface_says_and_sets_the_same(client: Client, owner: Any, member: Any, tenant: Any, spent: Any) -> None:
    keys = {user: issue_api_key(user=user, tenant=tenant, name="k")[1] for user in (owner, member)}

    def call(method: str, path: str, body: Any = None, *, by: Any = owner) -> Any:
        headers = {"Authorization": f"Bearer {keys[by]}"}
        return client.generic(
            method, f"/api/v1{path}", json.dumps(body) if body is not None else "", "application/json", headers=headers
        )

    report = call("GET", "/usage").json()
    assert (report["total"]["calls"], report["total"]["dollars"]) == (4, 3.75)
    assert report["by_model"][0]["name"] == "Large"
    made = call("POST", "/budgets", {"dollars": "4", "period": "month"})
    assert (made.status_code, made.json()["of"], made.json()["used_dollars"]) == (201, "organisation", 3.75)
    assert call("GET", "/budgets").json()["items"] == [made.json()]
    assert call("GET", "/me", by=member).json()["budgets"] == [made.json()], "everybody sees what is left"
    for method, path in (("GET", "/usage"), ("GET", "/budgets"), ("DELETE", f"/budgets/{made.json()['id']}")):
        assert call(method, path, by=member).status_code == 403
    assert call("POST", "/budgets", {"dollars": "1"}, by=member).status_code == 403
    assert call("POST", "/budgets", {"period": "month"}).json()["code"] == "budget_refused"
    assert call("DELETE", f"/budgets/{made.json()['id']}").status_code == 204
    assert call("DELETE", f"/budgets/{made.json()['id']}").status_code == 404


def test_the_page_asks_no_more_of_the_database_with_more_rows(
    client_of: Any, owner: Any, member: Any, spent: Any
) -> None:
    page = client_of(owner)
    page.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        page.get(PAGE)
    for number in range(12):
        UsageEntry.objects.create(
            tenant=spent.tenant, user=member, model=f"openai/{number}", purpose="answer", status="ok"
        )
    with CaptureQueriesContext(connection) as many:
        page.get(PAGE)
    assert len(many) == len(few)
