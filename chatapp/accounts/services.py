"""Writes: users and API keys."""

from __future__ import annotations

import hashlib
import secrets

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from chatapp.accounts.models import APIKey, User
from knowledge.tenants.models import Tenant

KEY_PREFIX = "fn_"


def key_digest(key: str) -> str:
    """Hash an API key. Keys carry 256 random bits, so a fast hash without salt is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


@transaction.atomic
def create_user(*, email: str, password: str, staff: bool = False, superuser: bool = False) -> User:
    """Create a person with a verified address, so that allauth asks for nothing more."""
    user = User.objects.create_user(email, password, is_staff=staff, is_superuser=superuser)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def issue_api_key(*, user: User, tenant: Tenant, name: str) -> tuple[APIKey, str]:
    """Create a key and return it with its row; the key cannot be read again."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = APIKey.objects.create(user=user, tenant=tenant, name=name, prefix=key[:9], digest=key_digest(key))
    return row, key


def revoke_api_key(*, key: APIKey) -> None:
    APIKey.objects.filter(pk=key.pk, revoked__isnull=True).update(revoked=timezone.now())
