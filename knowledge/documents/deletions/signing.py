"""The signature under a deletion report: whoever changes the row, or the file that was handed out, is found out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.crypto import constant_time_compare, salted_hmac

from knowledge.documents.deletions.models import DeletionReport

__all__ = ["facts_of", "handed_out", "is_signed", "sign", "signature_of"]

FORMAT = "footnote-deletion-1"
_SALT = "footnote deletion report"


def facts_of(report: DeletionReport) -> dict[str, Any]:
    """Return what is signed, as it is handed out."""
    return {
        "format": FORMAT,
        "id": str(report.pk),
        "tenant": str(report.tenant_id),
        "knowledge_base": str(report.knowledge_base_ref),
        "document": str(report.document_ref),
        "name": report.name,
        "requested": _moment(report.requested),
        "requested_by": report.requested_by,
        "reason": report.reason,
        "erased": report.erased,
        "state": report.state,
        "error": report.error,
        "finished": _moment(report.finished),
        "purged": _moment(report.purged),
        "checked": _moment(report.checked),
        "places": report.places,
    }


def handed_out(report: DeletionReport) -> dict[str, Any]:
    """Return the report as it is saved: its facts and the signature under them."""
    return {**facts_of(report), "signature": report.signature}


def sign(report: DeletionReport) -> None:
    """Put the signature under what the row says now."""
    report.signature = signature_of(facts_of(report))


def signature_of(facts: Mapping[str, Any]) -> str:
    """Return HMAC-SHA256 by ``SECRET_KEY`` over the facts as canonical JSON, in hexadecimal."""
    canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return salted_hmac(_SALT, canonical.encode("utf-8", "surrogatepass"), algorithm="sha256").hexdigest()


def is_signed(facts: Mapping[str, Any], signature: str) -> bool:
    """Tell whether the signature is this installation's under exactly these facts."""
    return bool(signature) and constant_time_compare(signature_of(facts), signature)


def _moment(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat() if value is not None else None
