"""Text that a server keeps for us without being able to read it.

A server of log-structured files removes what was deleted when it merges its files, which may be never
(Weaviate issue 7360), and offers no way to ask for it. So it is given no readable text at all: passages
are encrypted, and words are replaced by keyed hashes, which keyword search serves as well as the words.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from functools import lru_cache

from knowledge.errors import StoreError

__all__ = ["Seal"]

NONCE_BYTES = 12
WORD_BYTES = 9  # 12 characters; two words of a million share a hash with a chance of 1 in 10^10


class Seal:
    """The keys of one installation's index, a different one for each tenant."""

    def __init__(self, secret: str) -> None:
        """``secret`` is the installation's own; another one cannot read what this one sealed."""
        if not secret:
            raise StoreError("The search index needs the installation's SECRET_KEY.")
        self._secret = secret.encode()
        self._key = lru_cache(maxsize=1_024)(self._derived)

    def _derived(self, tenant: str) -> bytes:
        return hmac.new(self._secret, b"footnote index\0" + tenant.encode(), hashlib.sha256).digest()

    def words(self, terms: Iterable[str], *, tenant: str) -> str:
        """Return each term's keyed hash, in order, space separated."""
        key = self._key(tenant)
        digests = (hashlib.blake2b(term.encode(), key=key, digest_size=WORD_BYTES).digest() for term in terms)
        return " ".join(base64.urlsafe_b64encode(digest).decode() for digest in digests)

    def close(self, *parts: str, tenant: str, key: str) -> str:
        """Return the parts encrypted (AES-256-GCM) for the record of that key alone."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        plain = json.dumps(parts, ensure_ascii=False).encode()
        return base64.b64encode(nonce + AESGCM(self._key(tenant)).encrypt(nonce, plain, key.encode())).decode()

    def open(self, sealed: str, *, tenant: str, key: str) -> list[str]:
        """Return the parts again.

        :raises StoreError: another SECRET_KEY sealed them, or they are not what was sealed.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            data = base64.b64decode(sealed, validate=True)
            plain = AESGCM(self._key(tenant)).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], key.encode())
        except (InvalidTag, ValueError) as err:
            raise StoreError(
                "The search index was written under another SECRET_KEY. Use that one again, or run manage.py rebuild."
            ) from err
        parts: list[str] = json.loads(plain.decode())  # bytes would be searched for their encoding first
        return parts
