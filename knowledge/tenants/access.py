"""Who acts: the one object that every permission-checked fetch takes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from knowledge.errors import NotAllowed
from knowledge.tenants.models import Membership, Tenant

EDITING_ROLES = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN, Membership.Role.EDITOR})
ADMIN_ROLES = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN})
ASKING_ROLES = frozenset(Membership.Role.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A user in one tenant, with the role the membership gives right now."""

    user_id: int
    tenant_id: uuid.UUID
    tenant_slug: str
    role: str
    api_key_id: int | None = None  # the key it came with

    @property
    def can_edit(self) -> bool:
        return self.role in EDITING_ROLES

    @property
    def can_administer(self) -> bool:
        return self.role in ADMIN_ROLES


def require_editor(actor: Actor, words: str = "") -> None:
    """:raises NotAllowed: the actor may only read; ``words`` say it better than its own."""
    if not actor.can_edit:
        raise NotAllowed(words)


def require_administrator(actor: Actor, words: str = "") -> None:
    """:raises NotAllowed: the actor does not administer the tenant; ``words`` say it better than its own."""
    if not actor.can_administer:
        raise NotAllowed(words)


def actor_for(*, user_id: int, tenant_id: uuid.UUID | None = None) -> Actor | None:
    """Return the actor for a user in a tenant (their oldest one by default), or None without membership."""
    rows = Membership.objects.filter(user_id=user_id, user__is_active=True, tenant__active=True)
    if tenant_id is not None:
        rows = rows.filter(tenant_id=tenant_id)
    row = rows.order_by("created").values_list("tenant_id", "tenant__slug", "role").first()
    if row is None:
        return None
    return Actor(user_id=user_id, tenant_id=row[0], tenant_slug=row[1], role=row[2])


def system_actor(tenant: Tenant) -> Actor:
    """Return an actor for commands an operator runs on the machine itself."""
    return Actor(user_id=0, tenant_id=tenant.id, tenant_slug=tenant.slug, role=Membership.Role.OWNER)
