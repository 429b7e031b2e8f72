"""The page of what models were used for and what they may be used for still: administrators only."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.language_models import limits, reports
from chatapp.language_models.models import Budget
from knowledge.tenants.access import Actor

TITLES = {
    "model": "By model", "person": "By person", "key": "By key", "purpose": "By purpose", "status": "By outcome",
}  # fmt: skip


@require_safe
@member_page
def usage(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what was used in a month, and the budgets with what is left of them now."""
    return _page(request, actor)


@require_POST
@member_page
def set_budget(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Add a budget, or change the one that is there for the same."""
    _only_administrators(actor)
    given = request.POST
    try:
        user, api_key = _whose(given.get("whose", ""))
        limits.set_budget(
            actor, period=given.get("period", ""), dollars=given.get("dollars"), tokens=given.get("tokens"), user=user,
            api_key=api_key,
        )  # fmt: skip
    except limits.BudgetRefused as err:
        return _page(request, actor, problem=err.message, given=given)
    messages.success(request, "The budget is set. It counts from the next question on.")
    return redirect("language_models:usage")


@require_POST
@member_page
def remove_budget(request: HttpRequest, actor: Actor, budget_id: int) -> HttpResponse:
    _only_administrators(actor)
    limits.remove_budget(actor, budget_id)
    messages.success(request, "The budget is removed.")
    return redirect("language_models:usage")


def _page(
    request: HttpRequest, actor: Actor, *, problem: str = "", given: QueryDict | None = None
) -> HttpResponse:  # fmt: skip
    _only_administrators(actor)
    report = reports.report_of(actor, month=request.GET.get("month", ""))
    context = {
        "here": "usage", "report": report, "parts": [(TITLES[name], lines) for name, lines in report.parts.items()],
        "budgets": limits.budgets_of(actor), "people": limits.people_of(actor), "keys": limits.keys_of(actor),
        "periods": Budget.Period.choices, "problem": problem, "given": given or {},
    }  # fmt: skip
    return render(request, "models/usage.html", context)


def _only_administrators(actor: Actor) -> None:
    """:raises PermissionDenied: the role does not administer."""
    if not actor.can_administer:
        raise PermissionDenied(reports.ADMINISTRATORS_SEE)


def _whose(text: str) -> tuple[int | None, int | None]:
    """Return the person or the key that a choice of the form means.

    :raises BudgetRefused: it means nothing.
    """
    if text == "organisation":
        return None, None
    kind, _, number = text.partition(":")
    if kind not in ("person", "key") or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise limits.BudgetRefused("Choose whom the budget is for.")
    return (int(number), None) if kind == "person" else (None, int(number))
