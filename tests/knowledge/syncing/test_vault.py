from __future__ import annotations

import uuid
from typing import Any

import pytest

from knowledge.errors import SourceMisconfigured
from knowledge.syncing import vault

ONE, TWO = uuid.uuid4(), uuid.uuid4()


def test_what_was_sealed_is_read_again_and_is_not_readable_at_rest() -> None:
    sealed = vault.seal({"token": "hunter2", "password": "päss"}, source=ONE)
    assert "hunter2" not in sealed
    assert vault.unseal(sealed, source=ONE) == {"token": "hunter2", "password": "päss"}
    assert vault.names(sealed, source=ONE) == ["password", "token"]
    assert sealed != vault.seal({"token": "hunter2", "password": "päss"}, source=ONE)


def test_nothing_is_sealed_as_nothing() -> None:
    assert (vault.seal({}, source=ONE), vault.unseal("", source=ONE)) == ("", {})


def test_what_is_sealed_for_one_source_does_not_open_for_another() -> None:
    with pytest.raises(SourceMisconfigured):
        vault.unseal(vault.seal({"token": "hunter2"}, source=ONE), source=TWO)


def test_another_key_of_the_installation_is_said_in_words(settings: Any) -> None:
    sealed = vault.seal({"token": "hunter2"}, source=ONE)
    settings.SECRET_KEY = "another one altogether"
    with pytest.raises(SourceMisconfigured, match="Enter them again"):
        vault.unseal(sealed, source=ONE)
    assert vault.names(sealed, source=ONE) == []
