"""``/me``: who the caller is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from chatapp.accounts.models import User

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
    )
