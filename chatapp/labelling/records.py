"""The thresholds that a tenant fitted to its own labels, where it made a record of them active."""

from __future__ import annotations

import time
import uuid

from django.utils import timezone

from chatapp.answering.verification import default_record
from chatapp.conversations.verifying import Thresholds
from chatapp.labelling.models import VerificationRecord

__all__ = ["KEPT_SECONDS", "forget", "thresholds_of"]

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
    row = rows.first()
    found = None if row is None else _thresholds(row)
    _kept[tenant_id] = (now + KEPT_SECONDS, found)
    return found


def _thresholds(row: VerificationRecord) -> Thresholds:
    return Thresholds(
        supported=row.supported, unsupported=row.unsupported, record=row.pk,
        made=timezone.localdate(row.created).isoformat(),
    )  # fmt: skip


def forget(tenant_id: uuid.UUID) -> None:
    """Have this process ask again."""
    _kept.pop(tenant_id, None)
