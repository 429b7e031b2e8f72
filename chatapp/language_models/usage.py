"""The ledger: one entry for every call of a model, with the price of its day."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction

from chatapp.language_models.models import UsageEntry
from knowledge.llm import Meter, Metered, price_of
from knowledge.tenants.access import Actor

__all__ = ["Ledger", "record"]

logger = logging.getLogger(__name__)

MILLION = 1_000_000
_PRICE, _COST = Decimal("0.000001"), Decimal("0.000000001")


class Ledger:
    """Collects what calls used while an answer is made, and writes it when that is over.

    Hand ``meter(purpose)`` to ``knowledge.llm``; ``write`` blocks on the database. A call is written once, however
    often ``write`` is called.
    """

    def __init__(self, actor: Actor, *, run_ref: UUID | None = None) -> None:
        self._actor, self._run_ref = actor, run_ref
        self._lock = threading.Lock()
        self._calls: list[tuple[UsageEntry.Purpose, Metered]] = []

    def meter(self, purpose: UsageEntry.Purpose) -> Meter:
        """Return who is to be told of calls for this purpose."""

        def told(call: Metered) -> None:
            with self._lock:
                self._calls.append((purpose, call))

        return told

    def write(self) -> None:
        """Write what was collected since; when that fails, it is still there for another try."""
        with self._lock:
            calls, self._calls = self._calls, []
        try:
            _write([_entry(call, self._actor, purpose, self._run_ref) for purpose, call in calls])
        except BaseException:
            with self._lock:
                self._calls = calls + self._calls
            raise


def record(
    calls: Sequence[Metered], *, actor: Actor, purpose: UsageEntry.Purpose, run_ref: UUID | None = None
) -> None:  # fmt: skip
    """Write calls that were collected elsewhere."""
    _write([_entry(call, actor, purpose, run_ref) for call in calls])


def _write(entries: list[UsageEntry]) -> None:
    if not entries:
        return
    try:
        with transaction.atomic():
            UsageEntry.objects.bulk_create(entries)
    except IntegrityError:  # a key, person or model was deleted meanwhile: the organisation has paid all the same
        logger.warning("%d calls of models are recorded without who made them", len(entries))
        for entry in entries:
            entry.pk = entry.user_id = entry.api_key_id = entry.language_model_id = None
        UsageEntry.objects.bulk_create(entries)


def _entry(call: Metered, actor: Actor, purpose: UsageEntry.Purpose, run_ref: UUID | None) -> UsageEntry:
    price, used = price_of(call.settings), call.usage
    spent = None
    if price is not None:
        spent = price.of(prompt_tokens=used.prompt_tokens, completion_tokens=used.completion_tokens)
    return UsageEntry(
        tenant_id=actor.tenant_id,
        user_id=actor.user_id or None,
        api_key_id=actor.api_key_id,
        language_model_id=int(call.settings.entry) if call.settings.entry.isdecimal() else None,
        model=call.settings.model[:300],
        run_ref=run_ref,
        purpose=purpose,
        status=call.status,
        error_code=call.error,
        error_detail=call.detail[:100],
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        estimated=used.estimated,
        price_prompt=None if price is None else Decimal(price.prompt * MILLION).quantize(_PRICE),
        price_completion=None if price is None else Decimal(price.completion * MILLION).quantize(_PRICE),
        cost=None if spent is None else Decimal(spent).quantize(_COST),
        first_token=call.first_token,
        total=call.total,
    )
