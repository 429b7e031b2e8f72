from __future__ import annotations

import uuid
from typing import Any

import pytest

from knowledge.errors import SecretsUnreadable
from knowledge.tenants import vault

ONE, TWO = uuid.uuid4(), uuid.uuid4()
SECRETS = {"token": "hunter2", "password": "päss"}


def test_what_was_sealed_is_read_again_and_is_not_readable_at_rest() -> None:
    sealed = vault.seal(SECRETS, owner=ONE, purpose="sources")
    assert "hunter2" not in sealed
    assert vault.unseal(sealed, owner=ONE, purpose="sources") == SECRETS
    assert vault.names(sealed, owner=ONE, purpose="sources") == ["password", "token"]
    assert sealed != vault.seal(SECRETS, owner=ONE, purpose="sources")


def test_nothing_is_sealed_as_nothing() -> None:
    assert vault.seal({}, owner=ONE, purpose="sources") == ""
    assert vault.unseal("", owner=ONE, purpose="sources") == {}


@pytest.mark.parametrize(("owner", "purpose"), [(TWO, "sources"), (ONE, "models")], ids=["owner", "purpose"])
def test_what_is_sealed_for_one_owner_and_purpose_opens_for_no_other(owner: uuid.UUID, purpose: str) -> None:
    sealed = vault.seal(SECRETS, owner=ONE, purpose="sources")
    with pytest.raises(SecretsUnreadable):
        vault.unseal(sealed, owner=owner, purpose=purpose)


def test_another_key_of_the_installation_is_said_in_words(settings: Any) -> None:
    sealed = vault.seal(SECRETS, owner=ONE, purpose="sources")
    settings.SECRET_KEY = "another one altogether"
    with pytest.raises(SecretsUnreadable, match="Enter them again"):
        vault.unseal(sealed, owner=ONE, purpose="sources")
    assert vault.names(sealed, owner=ONE, purpose="sources") == []


def test_the_secrets_of_sources_sealed_by_earlier_versions_still_open(settings: Any) -> None:
    settings.SECRET_KEY = "a secret of long ago"
    owner = uuid.UUID("6f1c52a4-3a0e-4f6b-9a63-2b8c7d6e5f40")
    assert vault.unseal(SEALED_BEFORE, owner=owner, purpose="sources") == {"token": "hunter2"}


SEALED_BEFORE = "kk89jY4zCgJbvhM5EVrsFeudMrFMXTGVIS9ylZC5g1q+Tzt16ddyu4CbiVzm4OFJ"
