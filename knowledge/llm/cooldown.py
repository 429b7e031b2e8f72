"""Models that are left alone for a while, because they failed a moment ago and another one can answer meanwhile.

One list a process: what one question learned about a provider spares the next one the same wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from knowledge.errors import ModelBusy, ModelTimeout, ModelUnavailable
from knowledge.llm.faults import Fault
from knowledge.llm.types import ModelSettings

__all__ = ["COOLDOWNS", "LONGEST_REST", "REST", "Cooldowns"]

REST = 30.0
"""Seconds, where the provider does not say how long."""

LONGEST_REST = 600.0
"""Seconds that a provider's Retry-After is believed."""


class Cooldowns:
    """When each model may be asked again, by its name and address. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[tuple[str, str | None], float] = {}

    def failed(self, settings: ModelSettings, fault: Fault) -> None:
        """Rest a model that is busy, away, or late with its first token; what is wrong with a request rests nobody."""
        if isinstance(fault.error, ModelBusy | ModelUnavailable | ModelTimeout):
            seconds = REST if fault.retry_after is None else min(fault.retry_after, LONGEST_REST)
            with self._lock:
                self._until[_key(settings)] = self._clock() + seconds

    def answered(self, settings: ModelSettings) -> None:
        """Ask it as before."""
        with self._lock:
            self._until.pop(_key(settings), None)

    def left(self, settings: ModelSettings) -> float:
        """Return the seconds that it rests still; 0.0 when it may be asked."""
        with self._lock:
            until = self._until.get(_key(settings), 0.0)
        return max(0.0, until - self._clock())

    def clear(self) -> None:
        """Ask every model again."""
        with self._lock:
            self._until.clear()


def _key(settings: ModelSettings) -> tuple[str, str | None]:
    return settings.model, settings.api_base


COOLDOWNS = Cooldowns()
"""Of this process."""
