"""Signatures of requests to S3: AWS Signature Version 4, for requests without a body.

Written after AWS's "Authenticating Requests: Using the Authorization Header"; its examples are the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from knowledge.egress import Target

__all__ = ["Keys", "signature_headers"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_NO_BODY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    access: str
    secret: str = field(repr=False)


def signature_headers(
    target: Target, *, keys: Keys, region: str, now: datetime, headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Headers that sign a GET of ``target``, ``headers`` included; path and query must be percent-encoded already."""
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    path, _, query = target.path.partition("?")
    sent = {"x-amz-content-sha256": _NO_BODY, "x-amz-date": moment}
    signed = {**{name.lower(): value.strip() for name, value in (headers or {}).items()}, **sent, "host": target.netloc}
    names = ";".join(sorted(signed))
    request = "\n".join(
        (
            "GET",
            path,
            "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part)),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            _NO_BODY,
        )
    )
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    signature = hmac.new(_signing_key(keys.secret, scope), text.encode(), hashlib.sha256).hexdigest()
    return {
        **sent,
        "Authorization": f"{_ALGORITHM} Credential={keys.access}/{scope},SignedHeaders={names},Signature={signature}",
    }


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
