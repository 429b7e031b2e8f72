"""Keys, passwords and tokens that people entered, encrypted at rest under a key of the installation's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets as random
import uuid
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from knowledge.errors import SecretsUnreadable

_NONCE_BYTES = 12


def seal(secrets: Mapping[str, str], *, owner: uuid.UUID, purpose: str) -> str:
    """Return the secrets encrypted (AES-256-GCM) for that owner alone; empty when there are none.

    ``purpose`` names the kind of owner, such as "sources": each has a key of its own.
    """
    if not secrets:
        return ""
    nonce = random.token_bytes(_NONCE_BYTES)
    plain = json.dumps(dict(secrets), ensure_ascii=False).encode()
    return base64.b64encode(nonce + AESGCM(_key(purpose)).encrypt(nonce, plain, owner.bytes)).decode()


def unseal(sealed: str, *, owner: uuid.UUID, purpose: str) -> dict[str, str]:
    """Return the secrets again.

    :raises SecretsUnreadable: another SECRET_KEY sealed them.
    """
    if not sealed:
        return {}
    data = base64.b64decode(sealed)
    try:
        plain = AESGCM(_key(purpose)).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], owner.bytes)
    except InvalidTag as err:
        raise SecretsUnreadable from err
    found: dict[str, str] = json.loads(plain)
    return found


def names(sealed: str, *, owner: uuid.UUID, purpose: str) -> list[str]:
    """Return which secrets there are; none when another SECRET_KEY sealed them."""
    try:
        return sorted(unseal(sealed, owner=owner, purpose=purpose))
    except SecretsUnreadable:
        return []


def _key(purpose: str) -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), f"footnote {purpose}".encode(), hashlib.sha256).digest()
