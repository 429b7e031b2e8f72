"""Whose turn it is: one thread does all the model's work, a bounded line waits for it, and the load is counted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from chatapp.finetuning.serving.program.wire import Refused, Said

__all__ = ["Turns"]

T = TypeVar("T")
RECENT_SECONDS = 60.0


class Turns:
    """Belongs to the event loop."""

    def __init__(self, *, waiting: int) -> None:
        self._most = waiting
        self._turn = asyncio.Lock()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._recent: deque[tuple[float, int, float]] = deque(maxlen=1000)
        self.waiting = 0
        self.running = 0
        self.answered = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn. :raises Refused: too many wait already."""
        if self.waiting >= self._most:
            raise Refused(429, "busy", "Too many requests wait for this model. Try again in a moment.")
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._turn.release()

    async def do(self, work: Callable[[], T]) -> T:
        """Run work in the model's thread. Whoever is cancelled meanwhile still waits until it has ended."""
        task = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def count(self, said: Said, *, seconds: float) -> None:
        self.answered += 1
        self._recent.append((time.monotonic(), said.completion_tokens, seconds))

    def speed(self) -> float:
        """Tokens a second of the answers of the last minute."""
        since = time.monotonic() - RECENT_SECONDS
        recent = [(tokens, seconds) for at, tokens, seconds in self._recent if at >= since]
        spent = sum(seconds for _, seconds in recent)
        return round(sum(tokens for tokens, _ in recent) / spent, 1) if spent else 0.0


def memory() -> dict[str, Any]:
    """Return the bytes this process uses, and those of the graphics processor where there is one."""
    import psutil
    import torch

    used: dict[str, Any] = {"process": psutil.Process().memory_info().rss}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        used |= {"gpu": total - free, "gpu_total": total, "gpu_name": torch.cuda.get_device_name()}
    return used
