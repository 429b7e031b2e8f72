"""How much of models an organisation, a person or a key may use, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Sum
from django.utils import timezone

from chatapp.language_models.models import Budget, UsageEntry
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["LOW", "BudgetExhausted", "Remaining", "ensure_within", "public_budgets", "remaining", "remaining_of"]

LOW = 0.2
"""Share of a budget from which on people are told what is left."""


class BudgetExhausted(KnowledgeError):
    """``retry_after``: seconds until the budget begins anew."""

    code = "budget_exhausted"
    status = 429
    default_message = "The budget for language models is used up."

    def __init__(self, message: str | None = None, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """A budget in its present day or month (UTC)."""

    budget: Budget
    dollars: Decimal  # used so far
    tokens: int
    begins: datetime
    resets: datetime

    @property
    def left(self) -> float:
        """The share that is left, of what is used up first."""
        shares = [1.0]
        if self.budget.dollars is not None:
            shares.append(_share_left(self.dollars, self.budget.dollars))
        if self.budget.tokens is not None:
            shares.append(_share_left(self.tokens, self.budget.tokens))
        return min(shares)

    @property
    def exhausted(self) -> bool:
        return self.left <= 0

    @property
    def of(self) -> str:
        """``organisation``, ``person`` or ``key``."""
        return "key" if self.budget.api_key_id else "person" if self.budget.user_id else "organisation"

    @property
    def figures(self) -> str:
        """What is used of what, such as “3.20 of 10.00 US dollars”."""
        parts = []
        if self.budget.dollars is not None:
            parts.append(f"{self.dollars:,.2f} of {self.budget.dollars:,.2f} US dollars")
        if self.budget.tokens is not None:
            parts.append(f"{self.tokens:,} of {self.budget.tokens:,} tokens")
        return ", ".join(parts)

    @property
    def span(self) -> str:
        return "today" if self.budget.period == Budget.Period.DAY else f"{self.begins:%B}"

    @property
    def anew(self) -> str:
        if self.budget.period == Budget.Period.DAY:
            return "at midnight (UTC)"
        return f"on {self.resets.day} {self.resets:%B}"

    @property
    def subject(self) -> str:
        """Whose it is, as its person or a member of its organisation reads it."""
        if self.budget.api_key is not None:
            return f"The budget of the key “{self.budget.api_key.name}”"
        return "Your own budget" if self.budget.user_id else "The budget of your organisation"

    @property
    def used_up(self) -> str:
        return f"{self.subject} for {self.span} is used up ({self.figures}); it begins anew {self.anew}."

    @property
    def running_low(self) -> str:
        return f"{self.subject} for {self.span} runs low: {self.figures} are used. It begins anew {self.anew}."

    def public(self) -> dict[str, Any]:
        """Return the budget as the HTTP API shows it."""
        budget = self.budget
        return {
            "id": budget.pk,
            "of": self.of,
            "user": budget.user_id,
            "api_key": budget.api_key_id,
            "period": budget.period,
            "dollars": None if budget.dollars is None else float(budget.dollars),
            "tokens": budget.tokens,
            "used_dollars": float(self.dollars),
            "used_tokens": self.tokens,
            "left": round(self.left, 4),
            "resets": self.resets,
        }


def ensure_within(actor: Actor) -> None:
    """Let a call be made while every budget that it counts towards has something left.

    Calls under way are counted when they have ended, so a budget may be passed by those that run at the same time.

    :raises BudgetExhausted: one is used up.
    """
    for each in remaining(actor):
        if each.exhausted:
            seconds = (each.resets - timezone.now()).total_seconds()
            raise BudgetExhausted(each.used_up, retry_after=max(1, int(seconds)))


def remaining(actor: Actor) -> list[Remaining]:
    """Return the budgets that what the actor asks counts towards, of the organisation first."""
    whose = Q(user=None, api_key=None) | Q(user_id=actor.user_id)
    if actor.api_key_id is not None:
        whose |= Q(api_key_id=actor.api_key_id)
    rows = Budget.objects.filter(whose, tenant_id=actor.tenant_id).select_related("api_key")
    return remaining_of(sorted(rows, key=lambda row: (bool(row.user_id), bool(row.api_key_id), row.period)))


def public_budgets(actor: Actor) -> list[dict[str, Any]]:
    """Return what is left of an actor's budgets as the HTTP API shows it."""
    return [each.public() for each in remaining(actor)]


def remaining_of(budgets: Iterable[Budget]) -> list[Remaining]:
    """Return what is left of budgets, with one sum each."""
    now = timezone.now()
    return [_remaining(budget, now) for budget in budgets]


def _remaining(budget: Budget, now: datetime) -> Remaining:
    begins, resets = _span(budget.period, now)
    if budget.api_key_id:
        rows = UsageEntry.objects.filter(api_key_id=budget.api_key_id)
    elif budget.user_id:
        rows = UsageEntry.objects.filter(tenant_id=budget.tenant_id, user_id=budget.user_id)
    else:
        rows = UsageEntry.objects.filter(tenant_id=budget.tenant_id)
    used = rows.filter(created__gte=begins).aggregate(
        dollars=Sum("cost"), tokens=Sum(F("prompt_tokens") + F("completion_tokens"))
    )
    return Remaining(
        budget=budget, dollars=Decimal(used["dollars"] or 0), tokens=used["tokens"] or 0, begins=begins, resets=resets
    )


def _span(period: str, now: datetime) -> tuple[datetime, datetime]:
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Budget.Period.DAY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _share_left(used: Decimal | int, limit: Decimal | int) -> float:
    return 1 - float(used) / float(limit) if limit else 0.0
