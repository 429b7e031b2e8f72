from __future__ import annotations

from typing import Any

import pytest

from chatapp.accounts import services
from chatapp.accounts.access import actor_of_key, actor_of_user
from chatapp.accounts.models import APIKey, User
from chatapp.settings import PASSWORD_HASHERS
from knowledge.errors import TenantNotFound
from knowledge.tenants.models import Membership

pytestmark = pytest.mark.django_db


def test_a_user_signs_in_with_an_address_in_any_case(settings: Any) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    user = services.create_user(email="Ada@Example.TEST", password="correct horse")
    assert user.email == "ada@example.test"
    assert User.objects.get_by_natural_key("ADA@example.test") == user
    assert user.emailaddress_set.get().verified
    assert user.password.startswith("argon2")
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_only_the_hash_of_a_key_is_kept(owner: Any, tenant: Any) -> None:
    row, key = services.issue_api_key(user=owner, tenant=tenant, name="ci")
    stored = APIKey.objects.filter(pk=row.pk).values().get()
    assert key.startswith("fn_")
    assert len(key) > 40
    assert all(key[9:] not in str(value) for value in stored.values())
    assert stored["prefix"] == key[:9]
    assert str(row) == f"ci ({key[:9]}…)"


def test_keys_differ(owner: Any, tenant: Any) -> None:
    keys = {services.issue_api_key(user=owner, tenant=tenant, name="ci")[1] for _ in range(5)}
    assert len(keys) == 5


def test_a_key_acts_in_its_own_tenant(owner: Any, tenant: Any, other_tenant: Any) -> None:
    Membership.objects.create(tenant=other_tenant, user=owner, role="reader")
    found = actor_of_key(services.issue_api_key(user=owner, tenant=other_tenant, name="k")[1])
    assert found
    assert (found[0].tenant_slug, found[0].role) == ("globex", "reader")


def test_a_key_for_a_tenant_one_does_not_belong_to_is_none(owner: Any, other_tenant: Any) -> None:
    assert actor_of_key(services.issue_api_key(user=owner, tenant=other_tenant, name="k")[1]) is None


def test_a_revoked_key_stays_revoked(owner: Any, tenant: Any) -> None:
    row, key = services.issue_api_key(user=owner, tenant=tenant, name="k")
    services.revoke_api_key(key=row)
    first = APIKey.objects.get(pk=row.pk).revoked
    services.revoke_api_key(key=row)
    assert APIKey.objects.get(pk=row.pk).revoked == first
    assert actor_of_key(key) is None


@pytest.mark.parametrize("key", ["", "fn_", "fn_x", "\x00", "é" * 50, "x" * 100_000])
def test_an_unknown_key_is_nobody(key: str) -> None:
    assert actor_of_key(key) is None


def test_the_session_chooses_among_several_tenants(owner: Any, tenant: Any, other_tenant: Any) -> None:
    Membership.objects.create(tenant=other_tenant, user=owner, role="reader")
    assert actor_of_user(owner).tenant_slug == "acme", "the oldest membership by default"
    assert actor_of_user(owner, tenant=str(other_tenant.pk)).tenant_slug == "globex"


def test_nobody_has_no_actor(make_user: Any, other_tenant: Any, owner: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    for user in (None, AnonymousUser(), make_user("alone@nowhere.test")):
        with pytest.raises(TenantNotFound):
            actor_of_user(user)
    with pytest.raises(TenantNotFound):
        actor_of_user(owner, tenant=other_tenant.pk)
