"""How long to wait before another attempt, or that there is none."""

from __future__ import annotations

import random

from knowledge.llm.faults import Fault

ATTEMPTS = 3  # the first one included
_BASE = 0.25  # seconds; doubles with each attempt
_JITTER = 0.5


def next_delay(fault: Fault, *, attempt: int, budget: float) -> float | None:
    """Seconds until the next attempt, None when the fault is final, the attempts or the budget used up.

    ``attempt`` counts from 1; ``budget`` is what is left of the deadline in seconds.
    """
    if not fault.transient or attempt >= ATTEMPTS:
        return None
    delay = _BASE * 2 ** (attempt - 1) * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    if fault.retry_after is not None:
        delay = max(delay, fault.retry_after)
    return delay if delay < budget else None
