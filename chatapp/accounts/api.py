"""``/me``: who the caller is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from chatapp.accounts.models import User
from knowledge.tenants.access import Actor

router = Router(tags=["me"])


class TenantOut(Schema):
    id: str
    slug: str


class MeOut(Schema):
    id: int
    email: str
    name: str
    role: str
    tenant: TenantOut
    budgets: list[dict[str, Any]]


_budgets: Callable[[Actor], list[dict[str, Any]]] = lambda _: []  # noqa: E731


def use_budgets(of_actor: Callable[[Actor], list[dict[str, Any]]]) -> None:
    """Set who knows what an actor may still use of language models: an upper package."""
    global _budgets
    _budgets = of_actor


@router.get("", response=MeOut)
def me(request: HttpRequest) -> Any:
    actor = request.actor  # type: ignore[attr-defined]
    user = User.objects.get(pk=actor.user_id)
    return MeOut(
        id=user.pk,
        email=user.email,
        name=user.name,
        role=actor.role,
        tenant=TenantOut(id=str(actor.tenant_id), slug=actor.tenant_slug),
        budgets=_budgets(actor),
    )
