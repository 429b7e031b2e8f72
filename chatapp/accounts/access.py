"""From a request to the actor: session cookie for pages and sockets, bearer key for the API."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.http import HttpRequest

from chatapp.accounts.models import APIKey
from chatapp.accounts.services import key_digest
from knowledge.errors import TenantNotFound
from knowledge.tenants.access import Actor, actor_for

TENANT_SESSION_KEY = "tenant"


def actor_of_user(user: Any, *, tenant: object = None) -> Actor:
    """Return the actor of a signed-in user.

    :raises TenantNotFound: not signed in, or no membership.
    """
    if user is None or not getattr(user, "is_authenticated", False):
        raise TenantNotFound
    tenant_id = uuid.UUID(str(tenant)) if tenant else None
    actor = actor_for(user_id=user.pk, tenant_id=tenant_id)
    if actor is None:
        raise TenantNotFound("You do not belong to an organisation yet. Ask an administrator to add you.")
    return actor


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor behind a page or API request; asked of the database once per request."""
    cached: Actor | None = getattr(request, "_actor", None)
    if cached is None:
        cached = actor_of_user(request.user, tenant=request.session.get(TENANT_SESSION_KEY))
        request._actor = cached  # type: ignore[attr-defined]
    return cached


def actor_of_key(key: str) -> tuple[Actor, APIKey] | None:
    """Return the actor of an API key, or None when the key is unknown, revoked or its holder is gone."""
    row = APIKey.objects.filter(digest=key_digest(key), revoked__isnull=True).first()
    if row is None:
        return None
    actor = actor_for(user_id=row.user_id, tenant_id=row.tenant_id)
    return (replace(actor, api_key_id=row.pk), row) if actor else None
