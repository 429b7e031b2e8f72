"""HTTP API: what models were used for, and budgets. Administrators only; ``/me`` tells everybody what is left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status

from chatapp.language_models import limits, reports
from chatapp.language_models.budgets import remaining_of

usage = Router(tags=["usage"])
budgets = Router(tags=["usage"])


class BudgetIn(Schema):
    period: str = "month"
    dollars: Decimal | None = None
    tokens: int | None = None
    user: int | None = None
    api_key: int | None = None


@usage.get("", response=dict[str, Any])
def get_usage(request: HttpRequest, month: str = "") -> dict[str, Any]:
    """What was used in a month such as 2026-11 (UTC), by model, person, key, purpose and outcome."""
    report = reports.report_of(request.actor, month=month)  # type: ignore[attr-defined]
    return {
        "month": report.month,
        "begins": report.begins,
        "ends": report.ends,
        "total": report.total.public(),
        **{f"by_{name}": [line.public() for line in lines] for name, lines in report.parts.items()},
    }


@budgets.get("", response=dict[str, Any])
def list_budgets(request: HttpRequest) -> dict[str, Any]:
    items = [each.public() for each in limits.budgets_of(request.actor)]  # type: ignore[attr-defined]
    return {"items": items, "next_cursor": None}


@budgets.post("", response={201: dict[str, Any]})
def set_budget(request: HttpRequest, data: BudgetIn) -> Any:
    """Set the budget of the organisation, of a person or of a key, in place of the one before."""
    row = limits.set_budget(request.actor, **data.dict())  # type: ignore[attr-defined]
    return Status(201, remaining_of([row])[0].public())


@budgets.delete("/{budget_id}", response={204: None})
def remove_budget(request: HttpRequest, budget_id: str) -> Any:
    limits.remove_budget(request.actor, budget_id)  # type: ignore[attr-defined]
    return Status(204, None)
