"""Passwords and tokens of sources, encrypted at rest under a key of the installation's own."""

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

from knowledge.errors import SourceMisconfigured

_NONCE_BYTES = 12
UNREADABLE = "The passwords of this source were stored under another SECRET_KEY. Enter them again."


def seal(secrets: Mapping[str, str], *, source: uuid.UUID) -> str:
    """Return the secrets encrypted (AES-256-GCM) for that source alone; empty when there are none."""
    if not secrets:
        return ""
    nonce = random.token_bytes(_NONCE_BYTES)
    plain = json.dumps(dict(secrets), ensure_ascii=False).encode()
    return base64.b64encode(nonce + AESGCM(_key()).encrypt(nonce, plain, source.bytes)).decode()


def unseal(sealed: str, *, source: uuid.UUID) -> dict[str, str]:
    """Return the secrets again.

    :raises SourceMisconfigured: another SECRET_KEY sealed them.
    """
    if not sealed:
        return {}
    data = base64.b64decode(sealed)
    try:
        plain = AESGCM(_key()).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], source.bytes)
    except InvalidTag as err:
        raise SourceMisconfigured(UNREADABLE) from err
    found: dict[str, str] = json.loads(plain)
    return found


def _key() -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), b"footnote sources", hashlib.sha256).digest()


def names(sealed: str, *, source: uuid.UUID) -> list[str]:
    """Return which secrets there are; none when another SECRET_KEY sealed them."""
    try:
        return sorted(unseal(sealed, source=source))
    except SourceMisconfigured:
        return []
