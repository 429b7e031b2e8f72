"""Tells upper packages what changed; this package does not know who listens."""

from __future__ import annotations

from django.dispatch import Signal

document_changed = Signal()
"""Sent with ``tenant_id: str`` and ``payload: dict`` after the change is committed."""

document_erased = Signal()
"""Sent with ``actor``, ``tenant_id: str``, ``document_id: str``, ``reason: str`` in the transaction that deletes the
document: its words must go from wherever they were copied to, or it stays."""

searched = Signal()
"""Sent with ``timings: Mapping[str, float]``, the milliseconds of each stage of a retrieval that is over."""
