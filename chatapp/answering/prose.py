"""Have a model write an answer of prose: shown as it comes, each sentence checked as it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from chatapp.answering.assembly import AnswerAssembly
from chatapp.answering.checking import IN_A_HURRY, PATIENCE, Checks
from chatapp.answering.events import Answer, AnswerEvent, Partial
from chatapp.answering.repair import close_stream
from knowledge.errors import KnowledgeError
from knowledge.llm import Delta as ModelDelta
from knowledge.llm import Finish, NativeCitation, StreamEvent, Usage, estimate_usage

__all__ = ["ProseRun"]


class ProseRun:
    """One call to the model, from its first piece to the record of the answer."""

    def __init__(
        self,
        stream: AsyncIterator[Any],
        messages: list[dict[str, str]],
        assembly: AnswerAssembly,
        should_stop: Callable[[], bool],
        checks: Checks,
    ) -> None:
        self._checks = checks
        self._stream = stream
        self._messages = messages
        self._assembly = assembly
        self._should_stop = should_stop
        self._usage: Usage | None = None
        self._finish = ""

    async def events(self) -> AsyncGenerator[AnswerEvent, None]:
        try:
            async with aclosing(self._items()) as items:
                async for item in items:
                    if self._should_stop():
                        self._finish = "stopped"
                        break
                    for event in self._take(item) if item is not None else ():
                        yield event
                    for checked in self._checks.proceed():
                        yield checked
                    if self._assembly.is_full:
                        self._finish = "answer_limit"
                        break
        except KnowledgeError:
            self._finish = "interrupted"
            async for event in self._ended():
                yield event
            yield Partial(self._answer())
            raise
        finally:
            await close_stream(self._stream)
        async for event in self._ended():
            yield event
        yield self._answer()

    async def _items(self) -> AsyncGenerator[StreamEvent | None, None]:
        """Yield what the model sends, and None when something was judged while it was quiet."""
        following: asyncio.Future[StreamEvent | None] | None = None
        try:
            while True:
                following = following or asyncio.ensure_future(self._next())
                if (judging := self._checks.pending) is not None:
                    either: set[asyncio.Future[Any]] = {following, judging}
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                    if not following.done():
                        yield None
                        continue
                item, following = await following, None
                if item is None:
                    return
                yield item
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def _next(self) -> StreamEvent | None:
        """Return the next thing that the model sends; None at the end."""
        return await anext(self._stream, None)

    async def _ended(self) -> AsyncIterator[AnswerEvent]:
        for event in self._assembly.finish():
            yield event
        hurried = self._finish in ("stopped", "interrupted")
        async for checked in self._checks.rest(patience=IN_A_HURRY if hurried else PATIENCE):
            yield checked

    def _take(self, item: StreamEvent) -> list[AnswerEvent]:
        if isinstance(item, ModelDelta):
            return list(self._assembly.feed(item.text))
        if isinstance(item, NativeCitation):
            return list(self._assembly.cite(item))
        if isinstance(item, Finish):
            self._finish = item.reason
        elif isinstance(item, Usage):
            self._usage = item
        return []

    def _answer(self) -> Answer:
        usage = self._usage or estimate_usage(self._messages, self._assembly.raw_output)
        return self._assembly.answer(usage=usage, finish=self._finish, messages=self._messages)
