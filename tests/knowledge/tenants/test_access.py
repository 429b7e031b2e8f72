"""Who may act, and as what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from knowledge.errors import NotAllowed
from knowledge.tenants.access import Actor, actor_for, require_administrator, require_editor, system_actor
from knowledge.tenants.models import Membership

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "edits", "administers"),
    [
        ("owner", True, True),
        ("admin", True, True),
        ("editor", True, False),
        ("member", False, False),
        ("reader", False, False),
    ],
)
def test_role_of_the_membership_decides(
    tenant: Any, make_user: Callable[..., Any], role: str, edits: bool, administers: bool
) -> None:
    user = make_user("someone@acme.test", tenant=tenant, role=role)
    actor = actor_for(user_id=user.pk)
    assert actor == Actor(user_id=user.pk, tenant_id=tenant.pk, tenant_slug="acme", role=role)
    assert (actor.can_edit, actor.can_administer) == (edits, administers)


@pytest.mark.parametrize(
    ("role", "edits", "administers"), [("admin", True, True), ("editor", True, False), ("reader", False, False)]
)
def test_what_a_role_may_not_is_refused_in_words(tenant: Any, role: str, edits: bool, administers: bool) -> None:
    actor = Actor(user_id=1, tenant_id=tenant.pk, tenant_slug="acme", role=role)
    for require, allowed in ((require_editor, edits), (require_administrator, administers)):
        if allowed:
            require(actor)
            continue
        with pytest.raises(NotAllowed, match=r"^Your role does not allow this\.$") as refused:
            require(actor)
        assert (refused.value.code, refused.value.status) == ("forbidden", 403)
        with pytest.raises(NotAllowed, match=r"^Ask Ada\.$"):
            require(actor, "Ask Ada.")


def test_user_without_membership_is_nobody(tenant: Any, make_user: Callable[..., Any]) -> None:
    user = make_user("someone@acme.test")
    assert actor_for(user_id=user.pk) is None
    assert actor_for(user_id=user.pk, tenant_id=tenant.pk) is None
    assert actor_for(user_id=0) is None


def test_tenant_that_is_named_must_be_ones_own(tenant: Any, other_tenant: Any, make_user: Callable[..., Any]) -> None:
    user = make_user("someone@acme.test", tenant=tenant)
    assert actor_for(user_id=user.pk, tenant_id=other_tenant.pk) is None
    Membership.objects.create(tenant=other_tenant, user=user, role="reader")
    default, named = actor_for(user_id=user.pk), actor_for(user_id=user.pk, tenant_id=other_tenant.pk)
    assert (default and default.tenant_slug, default and default.role) == ("acme", "member")  # the oldest one
    assert (named and named.tenant_slug, named and named.role) == ("globex", "reader")


def test_changed_role_counts_at_once(tenant: Any, member: Any) -> None:
    Membership.objects.filter(user=member).update(role="editor")
    actor = actor_for(user_id=member.pk)
    assert actor is not None
    assert actor.can_edit
    Membership.objects.filter(user=member).delete()
    assert actor_for(user_id=member.pk) is None


@pytest.mark.parametrize("who", ["user", "tenant"])
def test_switched_off_users_and_tenants_are_nobody(tenant: Any, member: Any, who: str) -> None:
    row, field = (member, "is_active") if who == "user" else (tenant, "active")
    setattr(row, field, False)
    row.save()
    assert actor_for(user_id=member.pk) is None


def test_operator_on_the_machine_acts_as_owner_without_being_a_user(tenant: Any) -> None:
    actor = system_actor(tenant)
    assert (actor.user_id, actor.tenant_id, actor.can_administer) == (0, tenant.pk, True)


def test_actor_cannot_be_changed(tenant: Any) -> None:
    with pytest.raises(AttributeError):
        system_actor(tenant).role = "reader"  # type: ignore[misc]


def test_membership_is_held_once_a_tenant(tenant: Any, member: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(tenant=tenant, user=member, role="owner")
    assert str(Membership.objects.get()) == "member@acme.test in Acme as member"
