"""Tells upper packages what changed; this package does not know who listens."""

from __future__ import annotations

from django.dispatch import Signal

document_changed = Signal()
"""Sent with ``tenant_id: str`` and ``payload: dict`` after the change is committed."""

searched = Signal()
"""Sent with ``timings: Mapping[str, float]``, the milliseconds of each stage of a retrieval that is over."""
