"""Which of the stored secrets of a source still count after its settings were changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knowledge.errors import SourceMisconfigured
from knowledge.sources.web import address_of
from knowledge.syncing import vault
from knowledge.syncing.models import Source

__all__ = ["ADDRESS_CHANGED", "secrets_after"]

ADDRESSES = ("url", "endpoint")
"""Options that say whom the secrets are told."""

ADDRESS_CHANGED = "The address changed: enter the token again."


def secrets_after(source: Source, *, options: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that go with these options; ``given`` ones replace the stored, an empty one forgets it.

    Nobody can read a stored secret, so nobody may have it sent to a server of their own either: where scheme, host or
    port change, each stored secret must be entered again, or forgotten.

    :raises SourceMisconfigured: a stored secret would go to another server.
    """
    kept = _stored(source)
    if any(_origin(source.options.get(name)) != _origin(options.get(name)) for name in ADDRESSES):
        if kept.keys() - given.keys():
            raise SourceMisconfigured(ADDRESS_CHANGED)
        kept = {}
    return {name: value for name, value in {**kept, **given}.items() if value}


def _stored(source: Source) -> dict[str, str]:
    try:
        return vault.unseal(source.sealed, source=source.pk)
    except SourceMisconfigured:  # sealed under another key: they can only be entered again
        return {}


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
