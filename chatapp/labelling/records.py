"""Which thresholds are in force for a tenant: its own, where it made a record of its labels active, or the shipped."""

from __future__ import annotations

import time
import uuid

from chatapp.answering.verification import default_record
from chatapp.labelling.models import VerificationRecord

__all__ = ["KEPT_SECONDS", "Thresholds", "forget", "in_force", "thresholds_of"]

Thresholds = tuple[float, float]
"""Chances ``(supported, unsupported)``."""

KEPT_SECONDS = 10.0
"""How long a process remembers them: so much later an active record counts everywhere."""

_kept: dict[uuid.UUID, tuple[float, Thresholds | None]] = {}


def thresholds_of(tenant_id: uuid.UUID) -> Thresholds | None:
    """Return the tenant's own thresholds; None where the shipped ones hold. Of another verifier's chances a record
    says nothing, so it is passed over after a release that brings a new one."""
    now = time.monotonic()
    kept = _kept.get(tenant_id)
    if kept is not None and kept[0] > now:
        return kept[1]
    rows = VerificationRecord.objects.filter(tenant_id=tenant_id, active=True, verifier=default_record().verifier)
    found = rows.values_list("supported", "unsupported").first()
    _kept[tenant_id] = (now + KEPT_SECONDS, found)
    return found


def in_force(tenant_id: uuid.UUID) -> Thresholds:
    """Return the thresholds that count for the tenant: its own, or the shipped ones."""
    shipped = default_record()
    return thresholds_of(tenant_id) or (shipped.supported, shipped.unsupported)


def forget(tenant_id: uuid.UUID) -> None:
    """Have this process ask again."""
    _kept.pop(tenant_id, None)
