"""The keys of an entry: sealed for it alone, unsealed only for a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chatapp.language_models.models import LanguageModel
from knowledge.tenants import vault

__all__ = ["key_names", "keys_of", "seal_keys"]

PURPOSE: Final = "language models"


def seal_keys(model: LanguageModel, keys: Mapping[str, str]) -> None:
    """Put the keys into the row, which is not saved here."""
    model.sealed = vault.seal(keys, owner=model.key, purpose=PURPOSE)


def keys_of(model: LanguageModel) -> dict[str, str]:
    """:raises SecretsUnreadable: another SECRET_KEY sealed them."""
    return vault.unseal(model.sealed, owner=model.key, purpose=PURPOSE)


def key_names(model: LanguageModel) -> list[str]:
    """Return which keys are set; never their values."""
    return vault.names(model.sealed, owner=model.key, purpose=PURPOSE)
