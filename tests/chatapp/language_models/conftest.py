from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # Django is set up after this file is read
    from knowledge.tenants.access import Actor


@pytest.fixture
def actor_of(tenant: Any) -> Callable[..., Actor]:
    """Call with a role (and ``staff``) to get somebody of the tenant who acts."""
    from django.contrib.auth import get_user_model

    from knowledge.tenants.access import actor_for
    from knowledge.tenants.models import Membership

    def made(role: str = "admin", *, staff: bool = False, within: Any = None) -> Actor:
        there = within or tenant
        # Without a password: hashing one takes longer than most of these tests.
        user = get_user_model().objects.create_user(f"{role}-{staff}@{there.slug}.test", None, is_staff=staff)
        Membership.objects.create(tenant=there, user=user, role=role)
        found = actor_for(user_id=user.pk, tenant_id=there.pk)
        assert found is not None
        return found

    return made


@pytest.fixture
def admin(actor_of: Callable[..., Actor]) -> Actor:
    return actor_of("admin")


@pytest.fixture
def operator(actor_of: Callable[..., Actor]) -> Actor:
    return actor_of("owner", staff=True)
