"""The test of a model over real HTTP: what it measures, what it keeps, and what it says of each failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatapp.language_models import catalogue
from chatapp.language_models.budgets import BudgetExhausted
from chatapp.language_models.models import Budget, LanguageModel, ModelTest, UsageEntry
from chatapp.language_models.testing import KEPT, NEXT_STEPS, try_model
from knowledge.errors import NotAllowed
from knowledge.tenants.access import Actor

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., LanguageModel]


@pytest.fixture
def make(operator: Actor, scripted_model: Any) -> Make:
    """Call with the name of a scripted model."""

    def made(name: str, **more: Any) -> LanguageModel:
        settings = {"api_base": more.pop("address", scripted_model.url)}
        fields = {"provider": "openai_compatible", "model": name, "settings": settings, "shared": True, **more}
        return catalogue.add_model(operator, fields)

    return made


def test_a_model_that_can_do_all(operator: Actor, make: Make) -> None:
    model = make("scripted-able")
    test = try_model(operator, model)
    assert test.ok, test.measured
    assert test.first_token is not None
    assert test.total is not None
    assert 0 < test.first_token <= test.total < 20_000
    hello, citations = test.measured["hello"], test.measured["citations"]
    assert hello["pieces"] > 1
    assert (citations["sentences"], citations["cited"], citations["supported"], citations["invented"]) == (2, 2, 2, 0)
    assert LanguageModel.objects.get().capabilities == {"streaming": True, "json_schema": "strict", "citations": 1.0}
    assert test.by_id == operator.user_id
    calls = UsageEntry.objects.all()
    assert {(call.purpose, call.status, call.language_model_id) for call in calls} == {("test", "ok", model.pk)}
    assert calls.count() == 3


def test_a_server_that_takes_no_schema_is_asked_in_words(operator: Actor, make: Make) -> None:
    test = try_model(operator, make("scripted-plain"))
    assert (test.ok, test.measured["json"]["result"]) == (True, "plain")
    assert test.measured["json"]["refused"] == "model_refused"
    assert LanguageModel.objects.get().capabilities["json_schema"] == "plain"


def test_made_up_labels_and_text_that_is_no_json_are_told(operator: Actor, make: Make) -> None:
    test = try_model(operator, make("scripted-invented"))
    citations, form = test.measured["citations"], test.measured["json"]
    assert test.ok  # it answers; the rest is what it is good for
    assert (citations["ok"], citations["result"]) == (False, 0.25)
    assert citations["invented"] == 4
    assert (form["ok"], form["result"]) == (False, "no")


def test_one_that_answers_at_once_does_not_stream(operator: Actor, make: Make, scripted_model: Any) -> None:
    scripted_model.script(["All at once. And no more."])
    test = try_model(operator, make("scripted-custom"))
    assert test.measured["hello"]["result"] is False
    assert "all at once" in test.measured["hello"]["words"]


@pytest.mark.parametrize(
    ("name", "more", "code"),
    [
        ("scripted-404", {}, "model_not_configured"),
        ("scripted-able", {"secrets": {"api_key": "wrong-key"}}, "model_not_configured"),
        ("scripted-400", {}, "model_refused"),
        ("scripted-hang", {}, "model_timeout"),
        ("scripted-able", {"address": "http://127.0.0.1:9/v1"}, "model_unavailable"),
        ("scripted-reset", {}, "model_interrupted"),
    ],
    ids=["model", "key", "request", "slow", "connection", "broken"],
)
def test_failures_are_told_in_words_with_the_next_step(
    operator: Actor, make: Make, settings: Any, name: str, more: dict[str, Any], code: str
) -> None:
    settings.FIRST_TOKEN_SECONDS = 0.5
    test = try_model(operator, make(name, **more))
    assert (test.ok, test.error_code) == (False, code)
    assert list(test.measured) == ["hello"]  # what does not answer is not asked on
    assert NEXT_STEPS[code]
    assert test.error_message
    assert "wrong-key" not in str(test.measured) + test.error_message
    assert LanguageModel.objects.get().capabilities == {}


def test_an_address_that_was_closed_is_a_result_too(
    operator: Actor, admin: Actor, scripted_model: Any, settings: Any
) -> None:
    settings.MODEL_ADDRESSES = ["127.0.0.1"]
    fields = {"provider": "openai_compatible", "model": "scripted-able", "settings": {"api_base": scripted_model.url}}
    model = catalogue.add_model(admin, fields)
    settings.MODEL_ADDRESSES = []
    test = try_model(admin, model)
    assert "internal address" in test.error_message
    assert scripted_model.calls["total"] == 0


def test_fallbacks_do_not_answer_in_its_place_and_one_that_is_off_can_be_tested(operator: Actor, make: Make) -> None:
    able = make("scripted-able")
    model = make("scripted-500", fallback=able.pk)
    catalogue.edit_model(operator, model, {"enabled": False})
    test = try_model(operator, model)
    assert (test.ok, test.error_code) == (False, "model_unavailable")
    assert {call.language_model_id for call in UsageEntry.objects.all()} == {model.pk}


def test_a_budget_that_is_used_up_ends_tests_too(operator: Actor, make: Make, scripted_model: Any) -> None:
    model = make("scripted-able")
    Budget.objects.create(tenant_id=operator.tenant_id, tokens=0)
    with pytest.raises(BudgetExhausted):
        try_model(operator, model)
    assert scripted_model.calls["total"] == 0


def test_only_administrators_test_and_the_last_ones_are_kept(
    operator: Actor, actor_of: Callable[..., Actor], make: Make
) -> None:
    model = make("scripted-404")
    with pytest.raises(NotAllowed):
        try_model(actor_of("editor"), model)
    ModelTest.objects.bulk_create(ModelTest(language_model=model, ok=True) for _ in range(KEPT + 3))
    newest = try_model(operator, model)
    assert model.tests.count() == KEPT
    assert newest in model.tests.all()
