"""How much of models an organisation, a person or a key may use, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

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
    def used(self) -> float:
        return min(1.0, 1 - self.left)

    @property
    def exhausted(self) -> bool:
        return self.left <= 0

    def has(self, dollars: float) -> bool:
        """Whether so much more can be spent; a budget of tokens alone does not say."""
        return self.budget.dollars is None or float(self.dollars) + dollars <= float(self.budget.dollars)

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
    def when(self) -> str:
        return self.span if self.budget.period == Budget.Period.DAY else f"in {self.span}"

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

    def too_little(self, dollars: float) -> str:
        return (
            f"This is expected to cost {dollars:,.2f} US dollars, but {self.subject[0].lower()}{self.subject[1:]} for "
            f"{self.span} has less left ({self.figures} are used). It begins anew {self.anew}."
        )

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


def ensure_within(actor: Actor, *, dollars: float = 0) -> None:
    """Let a call be made while every budget that it counts towards has something left, and as many ``dollars`` as it
    is expected to cost.

    Calls under way are counted when they have ended, so a budget may be passed by those that run at the same time.

    :raises BudgetExhausted: one is used up, or would be.
    """
    for each in remaining(actor):
        if each.exhausted or not each.has(dollars):
            seconds = (each.resets - timezone.now()).total_seconds()
            words = each.used_up if each.exhausted else each.too_little(dollars)
            raise BudgetExhausted(words, retry_after=max(1, int(seconds)))


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
    """Return what is left of budgets, with one sum each; the first time in a day with two."""
    now = timezone.now()
    return [_remaining(budget, now) for budget in budgets]


def _remaining(budget: Budget, now: datetime) -> Remaining:
    begins, resets = _span(budget.period, now)
    whose = _Whose(budget.tenant_id, budget.user_id, budget.api_key_id)
    yesterday = _span(Budget.Period.DAY, now)[0] - timedelta(days=1)
    closed = _closed(whose, begins, yesterday) if begins < yesterday else (Decimal(0), 0)
    dollars, tokens = _used(whose, Q(created__gte=max(begins, yesterday)))
    return Remaining(
        budget=budget, dollars=closed[0] + dollars, tokens=closed[1] + tokens, begins=begins, resets=resets
    )


class _Whose(NamedTuple):
    tenant_id: UUID
    user_id: int | None
    api_key_id: int | None


@lru_cache(maxsize=4096)
def _closed(whose: _Whose, begins: datetime, ends: datetime) -> tuple[Decimal, int]:
    """Return what was used up to the day before yesterday, which never changes any more: it is summed up once a day."""
    return _used(whose, Q(created__gte=begins, created__lt=ends))


def _used(whose: _Whose, when: Q) -> tuple[Decimal, int]:
    if whose.api_key_id:
        rows = UsageEntry.objects.filter(when, api_key_id=whose.api_key_id)
    elif whose.user_id:
        rows = UsageEntry.objects.filter(when, tenant_id=whose.tenant_id, user_id=whose.user_id)
    else:
        rows = UsageEntry.objects.filter(when, tenant_id=whose.tenant_id)
    found = rows.aggregate(dollars=Sum("cost"), tokens=Sum(F("prompt_tokens") + F("completion_tokens")))
    return Decimal(found["dollars"] or 0), found["tokens"] or 0


def _span(period: str, now: datetime) -> tuple[datetime, datetime]:
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Budget.Period.DAY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _share_left(used: Decimal | int, limit: Decimal | int) -> float:
    return 1 - float(used) / float(limit) if limit else 0.0
