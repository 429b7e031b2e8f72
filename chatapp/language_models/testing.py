"""The test of a model: three trials, what they cost, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from chatapp.language_models.access import ADMINISTRATORS_CHANGE
from chatapp.language_models.budgets import ensure_within
from chatapp.language_models.models import LanguageModel, ModelTest, UsageEntry
from chatapp.language_models.services import model_settings, settings_of
from chatapp.language_models.trials import Outcome, run_trials
from chatapp.language_models.usage import Ledger
from knowledge import llm
from knowledge.errors import LanguageModelError
from knowledge.tenants.access import Actor, require_administrator

__all__ = ["KEPT", "next_step", "try_model"]

KEPT: Final = 20
"""Tests of one model that are kept."""

NEXT_STEPS: Final[Mapping[str, str]] = {
    "model_not_configured": "Check the key, the name of the model and whether your account may use it.",
    "model_refused": "Check the name of the model and its options; a smaller context window or answer may help.",
    "model_busy": "The provider is at its limit, or your account is. Wait a minute, or raise the limit there.",
    "model_timeout": "The server takes too long. Is it still loading the model? FIRST_TOKEN_SECONDS allows more.",
    "model_unavailable": "Is the server running, and is the address right? It usually ends with /v1.",
    "model_interrupted": "The connection broke. Test again; if it stays so, look at the server’s own log.",
}


def next_step(code: str) -> str:
    """Return what to do about a failure."""
    return NEXT_STEPS.get(code, "")


def try_model(actor: Actor, model: LanguageModel) -> ModelTest:
    """Try a model now and keep what it did. Failures of the model are part of the result; its fallbacks are not asked.

    :raises NotAllowed: the actor may not. :raises BudgetExhausted: a budget is used up.
    """
    require_administrator(actor, ADMINISTRATORS_CHANGE)
    ensure_within(actor)
    try:
        settings = replace(model_settings(model), fallbacks=()) if model.is_alias else settings_of(model)
    except LanguageModelError as error:
        return _store(actor, model, [_unreachable(error)])
    llm.warm_up()  # the seconds of a first import are ours, not the model's
    ledger = Ledger(actor)
    stream = partial(llm.stream, meter=ledger.meter(UsageEntry.Purpose.TEST))
    try:
        outcomes = llm.run_apart(partial(run_trials, settings, stream))
    finally:
        ledger.write()
    return _store(actor, model, outcomes)


def _unreachable(error: LanguageModelError) -> Outcome:
    return Outcome(trial="hello", ok=False, words=error.message, error=error)


def _store(actor: Actor, model: LanguageModel, outcomes: Sequence[Outcome]) -> ModelTest:
    failed = next((outcome for outcome in outcomes if outcome.error is not None), None)
    first = outcomes[0]
    test = ModelTest.objects.create(
        language_model=model, by_id=actor.user_id or None, ok=first.ok and failed is None,
        first_token=first.first_token, total=first.total, measured={each.trial: _kept(each) for each in outcomes},
        error_code=failed.error.code if failed and failed.error else "", error_message=failed.words if failed else "",
    )  # fmt: skip
    _remember(model, outcomes)
    old = model.tests.order_by("-created", "-pk").values_list("pk", flat=True)[KEPT:]
    ModelTest.objects.filter(pk__in=list(old)).delete()
    return test


def _kept(outcome: Outcome) -> dict[str, Any]:
    return {
        "ok": outcome.ok, "words": outcome.words, "result": outcome.result, "said": outcome.said,
        "first_token": outcome.first_token, "total": outcome.total, **outcome.measured,
    }  # fmt: skip


def _remember(model: LanguageModel, outcomes: Sequence[Outcome]) -> None:
    """Put what was measured among the capabilities; what could not be measured stays as it was."""
    names = {"hello": "streaming", "json": "json_schema", "citations": "citations"}
    found = {names[each.trial]: each.result for each in outcomes if each.error is None}
    if found:
        model.capabilities = {**model.capabilities, **found}
        LanguageModel.objects.filter(pk=model.pk).update(capabilities=model.capabilities)
