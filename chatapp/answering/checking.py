"""Look closer at sentences while the rest of the answer is still being written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from chatapp.answering.assembly import Undecided
from chatapp.answering.events import SentenceChecked
from chatapp.answering.verification import Claim, Judgement

__all__ = ["IN_A_HURRY", "PATIENCE", "Checks", "Judge"]

logger = logging.getLogger(__name__)

Judge: TypeAlias = Callable[[Sequence[Claim]], Awaitable[Sequence[Judgement]]]
"""Judges claims without holding up the event loop."""

PATIENCE = 5.0
"""Seconds after the last word; what is not judged by then stays unchecked."""

IN_A_HURRY = 0.3
"""The same where somebody stopped the answer and waits for that."""


class Undecidable(Protocol):
    """What hands out sentences for a closer look, and is told what became of them."""

    def take_undecided(self) -> list[Undecided]: ...
    def settle(self, undecided: Undecided, judgement: Judgement) -> SentenceChecked: ...


_Waiting = tuple[list[Undecided], "asyncio.Future[Sequence[Judgement]]"]


class Checks:
    """Hands undecided sentences to a judge, all that have gathered while it was busy at once."""

    def __init__(self, assembly: Undecidable, judge: Judge | None) -> None:
        self._assembly, self._judge = assembly, judge
        self._gathered: list[Undecided] = []
        self._waiting: _Waiting | None = None

    @property
    def pending(self) -> asyncio.Future[Sequence[Judgement]] | None:
        """What is being judged now."""
        return self._waiting[1] if self._waiting is not None else None

    def proceed(self) -> Iterator[SentenceChecked]:
        """Yield what has been judged, and hand over what has ended since."""
        self._gathered += self._assembly.take_undecided()
        if self._waiting is not None and self._waiting[1].done():
            yield from self._settled()
        if self._gathered and self._waiting is None and self._judge is not None:
            batch, self._gathered = self._gathered, []
            judging = asyncio.ensure_future(self._judge([each.claim for each in batch]))
            self._waiting = (batch, judging)

    async def rest(self, *, patience: float = PATIENCE) -> AsyncIterator[SentenceChecked]:
        """Yield what is judged in time, then the others as they are."""
        due = time.monotonic() + patience
        while True:
            for event in self.proceed():
                yield event
            if self._waiting is None:
                break
            done, _ = await asyncio.wait({self._waiting[1]}, timeout=max(0.0, due - time.monotonic()))
            if not done:
                logger.warning("sentences are left unchecked: the judge took longer than %s s", patience)
                break
        left = [*(self._waiting[0] if self._waiting else ()), *self._gathered]
        self.cancel()
        for undecided in left:
            yield self._assembly.settle(undecided, _unchecked("there was no time to check it"))

    def cancel(self) -> None:
        """Let go of what is being judged."""
        if self._waiting is not None:
            self._waiting[1].cancel()
        self._waiting, self._gathered = None, []

    def _settled(self) -> Iterator[SentenceChecked]:
        assert self._waiting is not None
        (batch, judging), self._waiting = self._waiting, None
        try:
            judged = judging.result()
        except Exception:  # a sentence that cannot be checked must not cost the answer
            logger.exception("sentences could not be checked")
            judged = [_unchecked("the check failed")] * len(batch)
        for undecided, judgement in zip(batch, judged, strict=True):
            yield self._assembly.settle(undecided, judgement)


def _unchecked(reason: str) -> Judgement:
    return Judgement(verdict="unchecked", score=0.0, reasons=(reason,), evidence=None)
