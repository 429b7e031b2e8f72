"""Do not ask a service again and again that does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Circuit"]


class Circuit:
    """Opens for ``rest`` seconds after ``limit`` failures in a row; then one call tries again. Thread-safe."""

    def __init__(self, *, limit: int = 3, rest: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._rest, self._clock = limit, rest, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_again = 0.0

    def wait(self) -> float:
        """Return 0.0 when a call may be made now, else the seconds until one may.

        After the rest the first caller gets through and the others wait for what becomes of it.
        """
        with self._lock:
            if self._failures < self._limit:
                return 0.0
            now = self._clock()
            if now < self._closed_again:
                return self._closed_again - now
            self._closed_again = now + self._rest
            return 0.0

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._closed_again = self._clock() + self._rest
