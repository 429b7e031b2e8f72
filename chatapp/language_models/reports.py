"""What an organisation's calls of models used in a month: by model, person, key, purpose and outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from chatapp.language_models.models import UsageEntry
from knowledge.tenants.access import Actor, require_administrator

__all__ = ["ADMINISTRATORS_SEE", "PARTS", "Line", "Report", "report_of"]

ADMINISTRATORS_SEE = "Only administrators see what models are used for."

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Calls that have something in common. ``unpriced``: those that used tokens whose price nobody knows."""

    name: str
    detail: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    dollars: Decimal
    unpriced: int
    failed: int

    def public(self) -> dict[str, Any]:
        return asdict(self) | {"dollars": float(self.dollars)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    begins: datetime
    ends: datetime
    total: Line
    parts: Mapping[str, list[Line]]  # by the names of ``PARTS``; most expensive first

    @property
    def month(self) -> str:
        return f"{self.begins:%Y-%m}"

    @property
    def before(self) -> str:
        """The month before."""
        return f"{self.begins - timedelta(days=1):%Y-%m}"

    @property
    def after(self) -> str:
        """The month after, empty where that has not begun."""
        return "" if self.ends > timezone.now() else f"{self.ends:%Y-%m}"


def _model(row: Row) -> tuple[str, str]:
    return row["language_model__name"] or row["model"], row["model"] if row["language_model__name"] else "not listed"


def _person(row: Row) -> tuple[str, str]:
    return row["user__email"] or "nobody: the installation itself", ""


def _key(row: Row) -> tuple[str, str]:
    prefix = row["api_key__prefix"]
    return (row["api_key__name"], f"{prefix}…") if prefix else ("without a key: in the browser, by jobs", "")


def _purpose(row: Row) -> tuple[str, str]:
    return str(UsageEntry.Purpose(row["purpose"]).label), ""


def _status(row: Row) -> tuple[str, str]:
    return str(UsageEntry.Status(row["status"]).label), row["error_code"].removeprefix("model_").replace("_", " ")


PARTS: Mapping[str, tuple[tuple[str, ...], Callable[[Row], tuple[str, str]]]] = {
    "model": (("language_model", "language_model__name", "model"), _model),
    "person": (("user", "user__email"), _person),
    "key": (("api_key", "api_key__name", "api_key__prefix"), _key),
    "purpose": (("purpose",), _purpose),
    "status": (("status", "error_code"), _status),
}
"""By what calls are put together: the columns, and how a group is called."""

_SUMS: Mapping[str, Any] = {
    "calls": Count("pk"),
    "read": Sum("prompt_tokens"),
    "written": Sum("completion_tokens"),
    "dollars": Sum("cost"),
    "unpriced": Count("pk", filter=Q(cost=None) & (Q(prompt_tokens__gt=0) | Q(completion_tokens__gt=0))),
    "failed": Count("pk", filter=Q(status=UsageEntry.Status.FAILED)),
}


def report_of(actor: Actor, *, month: str = "") -> Report:
    """Return what was used in a month such as ``2026-11``, in this one where that is none.

    :raises NotAllowed: the actor does not administer.
    """
    require_administrator(actor, ADMINISTRATORS_SEE)
    begins, ends = _span(month)
    rows = UsageEntry.objects.filter(tenant_id=actor.tenant_id, created__gte=begins, created__lt=ends)
    total = _line(("all", ""), rows.aggregate(**_SUMS))
    parts = {part: _lines(rows, columns, named) for part, (columns, named) in PARTS.items()}
    return Report(begins=begins, ends=ends, total=total, parts=parts)


def _lines(rows: QuerySet[UsageEntry], columns: tuple[str, ...], named: Callable[[Row], tuple[str, str]]) -> list[Line]:
    groups = rows.values(*columns).annotate(**_SUMS).order_by(F("dollars").desc(nulls_last=True), "-calls", *columns)
    return [_line(named(group), group) for group in groups]


def _line(names: tuple[str, str], row: Row) -> Line:
    return Line(
        name=names[0], detail=names[1], calls=row["calls"], prompt_tokens=row["read"] or 0,
        completion_tokens=row["written"] or 0, dollars=Decimal(row["dollars"] or 0), unpriced=row["unpriced"],
        failed=row["failed"],
    )  # fmt: skip


def _span(month: str) -> tuple[datetime, datetime]:
    """Return the first moment of a month and of the next, in UTC."""
    begins = timezone.now().astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    try:
        asked = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        asked = begins
    begins = asked if 2000 < asked.year < 3000 else begins
    return begins, (begins + timedelta(days=32)).replace(day=1)
