"""Streaming chat answers with our own deadlines, retries, errors and accounting."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from knowledge.errors import ModelInterrupted, ModelTimeout, ModelUnavailable
from knowledge.llm.boot import litellm_async
from knowledge.llm.chunks import read
from knowledge.llm.faults import fault_from
from knowledge.llm.local import is_local
from knowledge.llm.native import NativeCall
from knowledge.llm.pieces import Piece
from knowledge.llm.retry import next_delay
from knowledge.llm.types import (
    Completion,
    Delta,
    Finish,
    Message,
    ModelSettings,
    StreamEvent,
    Usage,
    estimate_usage,
    key_for,
)

logger = logging.getLogger(__name__)

_END = Piece()


class _Clock:
    """Seconds left of the deadlines of one call."""

    def __init__(self, settings: ModelSettings) -> None:
        self._deadlines = settings.deadlines
        self._started = time.monotonic()
        self.began = False  # the model has produced something

    def left(self) -> float:
        """Until the next sign of life is due."""
        total = self._started + self._deadlines.total - time.monotonic()
        if self.began:
            return min(total, self._deadlines.gap)
        return min(total, self._started + self._deadlines.first_token - time.monotonic())


async def stream(
    settings: ModelSettings, messages: Sequence[Message], *, extra_body: Mapping[str, Any] | None = None
) -> AsyncGenerator[StreamEvent, None]:
    """Yield the answer as ``Delta``s, then one ``Usage``, then one ``Finish``.

    Close it (``contextlib.aclosing``) when leaving early: the provider then sees the disconnect and stops
    generating. Attempts are repeated only while nothing has been yielded.

    :raises ModelNotConfigured: unknown model, address or key (401, 403, 404).
    :raises ModelRefused: the request itself was not accepted (other 4xx).
    :raises ModelBusy: 429, after retries. :raises ModelUnavailable: 5xx or no connection, after retries.
    :raises ModelTimeout: a deadline of the settings passed.
    :raises ModelInterrupted: the answer broke off, or ended without a finish reason.
    """
    await litellm_async()  # the seconds of a first import are ours, not the model's
    clock = _Clock(settings)
    native = NativeCall(settings)
    attempt = 0
    while True:
        attempt += 1
        yielded = False
        try:
            async with aclosing(_attempt(settings, messages, extra_body, clock, native)) as events:
                async for event in events:
                    yielded = True
                    yield event
            return
        except Exception as exc:  # the boundary to LiteLLM: providers raise whatever they like
            fault = fault_from(exc, began=yielded)
            if not yielded and native.falls_back(fault.error):
                continue
            delay = None if yielded else next_delay(fault, attempt=attempt, budget=clock.left())
            logger.warning(
                "model %s failed: %s (%s), attempt %d, %s",
                settings.model,
                fault.error.code,
                type(exc).__name__,
                attempt,
                "final" if delay is None else "retried",
            )
            if delay is None:
                raise fault.error from exc
        await asyncio.sleep(delay)


async def complete(
    settings: ModelSettings, messages: Sequence[Message], *, extra_body: Mapping[str, Any] | None = None
) -> Completion:
    """Return the whole answer; deadlines, retries and errors are those of ``stream``."""
    parts: list[str] = []
    usage, finish = estimate_usage(messages, ""), ""
    async with aclosing(stream(settings, messages, extra_body=extra_body)) as events:
        async for event in events:
            match event:
                case Delta(text):
                    parts.append(text)
                case Usage():
                    usage = event
                case Finish(reason):
                    finish = reason
    return Completion(text="".join(parts), usage=usage, finish=finish)


async def _attempt(
    settings: ModelSettings, messages: Sequence[Message], extra_body: Mapping[str, Any] | None, clock: _Clock,
    native: NativeCall,
) -> AsyncGenerator[StreamEvent, None]:  # fmt: skip
    upstream = await _within(clock, _open(settings, native.arguments(messages), extra_body))
    parts: list[str] = []
    finish, usage = None, None
    try:
        async with aclosing(read(upstream, native.documents)) as pieces:
            while (piece := await _within(clock, anext(pieces, _END))) is not _END:
                clock.began = clock.began or piece.alive
                finish, usage = piece.finish or finish, piece.usage or usage
                if piece.alive:
                    native.answered()
                if piece.citation is not None:
                    yield piece.citation
                if piece.text:
                    parts.append(piece.text)
                    yield Delta(piece.text)
    finally:
        await upstream.aclose()
    if finish is None:
        raise ModelInterrupted() if parts else ModelUnavailable("The language model sent no usable answer.")
    if usage is None or is_local(settings.model):
        usage = estimate_usage(messages, "".join(parts))
    yield usage
    yield Finish(finish)


async def _within(clock: _Clock, awaitable: Any) -> Any:
    try:
        async with asyncio.timeout(max(0.0, clock.left())):
            return await awaitable
    except TimeoutError as err:
        raise ModelTimeout() from err


async def _open(settings: ModelSettings, prompt: Mapping[str, Any], extra_body: Mapping[str, Any] | None) -> Any:
    arguments: dict[str, Any] = {
        "model": settings.model,
        "api_base": settings.api_base,
        "api_key": key_for(settings),
        "max_tokens": settings.max_output_tokens,
        "temperature": settings.temperature,
        "timeout": settings.deadlines.total,
        "stream": True,
        "stream_options": {"include_usage": True},
        "num_retries": 0,
        "max_retries": 0,
        **settings.extra,
        **prompt,
    }
    if extra_body:
        arguments["extra_body"] = dict(extra_body)
    return await (await litellm_async()).acompletion(**arguments)
