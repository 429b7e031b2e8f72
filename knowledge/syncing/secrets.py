"""Which of the stored secrets of a source still count after its settings were changed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from knowledge.errors import SecretsUnreadable, SourceMisconfigured
from knowledge.sources.web import address_of
from knowledge.syncing.models import Source
from knowledge.tenants import vault

__all__ = ["ADDRESS_CHANGED", "seal", "secret_names", "secrets_after", "secrets_of"]

PURPOSE = "sources"

ADDRESSES = ("url", "endpoint")
"""Options that say whom the secrets are told."""

ADDRESS_CHANGED = "The address changed: enter the token again."


def secrets_after(source: Source, *, options: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that go with these options; ``given`` ones replace the stored, an empty one forgets it.

    Nobody can read a stored secret, so nobody may have it sent to a server of their own either: where scheme, host or
    port change, each stored secret must be entered again, or forgotten.

    :raises SourceMisconfigured: a stored secret would go to another server.
    """
    try:
        kept = secrets_of(source)
    except SourceMisconfigured:  # sealed under another key: they can only be entered again
        kept = {}
    if any(_origin(source.options.get(name)) != _origin(options.get(name)) for name in ADDRESSES):
        if kept.keys() - given.keys():
            raise SourceMisconfigured(ADDRESS_CHANGED)
        kept = {}
    return {name: value for name, value in {**kept, **given}.items() if value}


def seal(secrets: Mapping[str, str], *, source: uuid.UUID) -> str:
    return vault.seal(secrets, owner=source, purpose=PURPOSE)


def secrets_of(source: Source) -> dict[str, str]:
    """Return the stored secrets of a source.

    :raises SourceMisconfigured: another SECRET_KEY sealed them.
    """
    try:
        return vault.unseal(source.sealed, owner=source.pk, purpose=PURPOSE)
    except SecretsUnreadable as err:
        raise SourceMisconfigured(err.message) from err


def secret_names(source: Source) -> list[str]:
    """Return which secrets a source has; never their values."""
    return vault.names(source.sealed, owner=source.pk, purpose=PURPOSE)


def _origin(address: object) -> tuple[str, str, int] | str:
    """The server that an address names; what is none is only the same as itself."""
    text = str(address or "").strip()
    if not text or text.startswith("/"):
        return text
    try:
        target = address_of(text, label="")
    except SourceMisconfigured:
        return text
    return target.scheme, target.host, target.port
