"""How many calls of one model may be under way at once in this process; the others wait in the order they came."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from knowledge.errors import ModelBusy
from knowledge.llm.types import ModelSettings

__all__ = ["PLACES", "Places"]

FULL = "The language model answers as many questions as it may at once. Try again in a moment."

_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Places:
    """Counts calls by model and address. Works across event loops, which a worker makes one of for each task."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[tuple[str, str | None]] = Counter()
        self._queues: dict[tuple[str, str | None], deque[_Waiting]] = {}

    @asynccontextmanager
    async def place(self, settings: ModelSettings, *, seconds: float) -> AsyncGenerator[None]:
        """Hold a place for the time of a call, after waiting for it at most so many seconds.

        :raises ModelBusy: none became free.
        """
        if settings.max_parallel is None:
            yield
            return
        key = settings.model, settings.api_base
        await self._take(key, settings.max_parallel, seconds)
        try:
            yield
        finally:
            self._give(key)

    async def _take(self, key: tuple[str, str | None], limit: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            queue = self._queues.setdefault(key, deque())
            if self._taken[key] < limit and not queue:
                self._taken[key] += 1
                return
            turn = loop.create_future()
            queue.append((loop, turn))
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await turn
        except BaseException as error:
            with self._lock, suppress(ValueError):
                queue.remove((loop, turn))
            if turn.done() and not turn.cancelled():
                self._give(key)  # it was handed over in the very moment of giving up
            if isinstance(error, TimeoutError):
                raise ModelBusy(FULL) from error
            raise

    def _give(self, key: tuple[str, str | None]) -> None:
        """Hand the place to whoever waits longest, or set it free."""
        while True:
            with self._lock:
                queue = self._queues.get(key)
                if not queue:
                    self._taken[key] -= 1
                    if not self._taken[key]:
                        del self._taken[key]
                        self._queues.pop(key, None)
                    return
                loop, turn = queue.popleft()
            with suppress(RuntimeError):  # its loop is over, and whoever waited there with it
                loop.call_soon_threadsafe(self._pass_on, key, turn)
                return

    def _pass_on(self, key: tuple[str, str | None], turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._give(key)
        else:
            turn.set_result(None)

    def taken(self, settings: ModelSettings) -> int:
        """Return how many calls of it hold a place."""
        return self._taken[settings.model, settings.api_base]


PLACES = Places()
"""Of this process."""
