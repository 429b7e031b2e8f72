"""Setting and removing budgets: administrators of an organisation, for it, its people and its keys."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from chatapp.accounts.models import APIKey
from chatapp.language_models.budgets import Remaining, remaining_of
from chatapp.language_models.models import Budget
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor, require_administrator
from knowledge.tenants.models import Membership

__all__ = ["BudgetNotFound", "BudgetRefused", "budgets_of", "keys_of", "people_of", "remove_budget", "set_budget"]

ADMINISTRATORS_SET = "Only administrators see and set budgets."
MOST_DOLLARS = Decimal(10_000_000)
MOST_TOKENS = 10**15


class BudgetRefused(KnowledgeError):
    code = "budget_refused"
    status = 422
    default_message = "A budget limits US dollars, tokens or both."


class BudgetNotFound(NotFound):
    default_message = "No such budget."


def budgets_of(actor: Actor) -> list[Remaining]:
    """Return all budgets of an organisation with what is left of them, its own first.

    :raises NotAllowed: the actor does not administer.
    """
    require_administrator(actor, ADMINISTRATORS_SET)
    rows = Budget.objects.filter(tenant_id=actor.tenant_id).select_related("user", "api_key")
    return remaining_of(sorted(rows, key=_order))


def _order(row: Budget) -> tuple[bool, bool, str, str]:
    whose = row.api_key.name if row.api_key else row.user.email if row.user else ""
    return bool(row.user_id), bool(row.api_key_id), whose, row.period


def people_of(actor: Actor) -> list[Membership]:
    """Return whom a budget may be set for."""
    rows = Membership.objects.filter(tenant_id=actor.tenant_id, user__is_active=True)
    return list(rows.select_related("user").order_by("user__email"))


def keys_of(actor: Actor) -> list[APIKey]:
    """Return which keys a budget may be set for."""
    return list(APIKey.objects.filter(tenant_id=actor.tenant_id, revoked=None).order_by("name", "pk"))


@transaction.atomic
def set_budget(
    actor: Actor, *, period: str, dollars: object = None, tokens: object = None, user: int | None = None,
    api_key: int | None = None,
) -> Budget:  # fmt: skip
    """Set how much may be used in a day or a month, in place of what was set for the same before.

    Neither ``user`` nor ``api_key``: the whole organisation.

    :raises NotAllowed: the actor does not administer. :raises BudgetRefused: an amount or the period makes no sense.
    :raises BudgetNotFound: the person or key is not of this organisation.
    """
    require_administrator(actor, ADMINISTRATORS_SET)
    if period not in Budget.Period.values:
        raise BudgetRefused("A budget is of a day or a month.")
    if user is not None and api_key is not None:
        raise BudgetRefused("A budget is of a person or of a key, not of both.")
    amounts = {"dollars": _dollars(dollars), "tokens": _tokens(tokens)}
    if amounts["dollars"] is None and amounts["tokens"] is None:
        raise BudgetRefused("Say how many US dollars or tokens may be used.")
    if user is not None and not Membership.objects.filter(tenant_id=actor.tenant_id, user_id=user).exists():
        raise BudgetNotFound("No such person.")
    if api_key is not None and not APIKey.objects.filter(tenant_id=actor.tenant_id, pk=api_key).exists():
        raise BudgetNotFound("No such key.")
    whose: dict[str, Any] = {"user_id": user, "api_key_id": api_key}
    row, _ = Budget.objects.update_or_create(tenant_id=actor.tenant_id, period=period, **whose, defaults=amounts)
    return row


def remove_budget(actor: Actor, pk: object) -> None:
    """Let everybody it was for use as much as the other budgets allow.

    :raises NotAllowed: the actor does not administer. :raises BudgetNotFound: there is none of that id here.
    """
    require_administrator(actor, ADMINISTRATORS_SET)
    text = str(pk)
    known = text.isascii() and text.isdecimal() and len(text) < 19
    if not known or not Budget.objects.filter(tenant_id=actor.tenant_id, pk=int(text)).delete()[0]:
        raise BudgetNotFound


def _dollars(value: object) -> Decimal | None:
    text = _typed(value)
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation as err:
        raise BudgetRefused("US dollars must be a number such as 25 or 12.50.") from err
    if not (found.is_finite() and 0 < found <= MOST_DOLLARS):
        raise BudgetRefused(f"US dollars must be more than 0 and at most {MOST_DOLLARS:,}.")
    if found != found.quantize(Decimal("0.0001")):
        raise BudgetRefused("US dollars have at most four decimal places.")
    return found


def _tokens(value: object) -> int | None:
    text = _typed(value)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MOST_TOKENS):
        raise BudgetRefused(f"Tokens must be a whole number from 1 to {MOST_TOKENS:,}.")
    return int(text)


def _typed(value: object) -> str:
    return "" if value is None else str(value).strip()
