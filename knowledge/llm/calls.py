"""One call of one model: a place, attempts until the first token, the stream, and what it used."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from knowledge.errors import LanguageModelError, ModelInterrupted, ModelTimeout, ModelUnavailable
from knowledge.llm.boot import litellm_async
from knowledge.llm.chunks import read
from knowledge.llm.cooldown import COOLDOWNS
from knowledge.llm.faults import Fault, fault_from
from knowledge.llm.local import is_local
from knowledge.llm.native import NativeCall
from knowledge.llm.pieces import Piece
from knowledge.llm.places import PLACES
from knowledge.llm.retry import next_delay
from knowledge.llm.types import (
    Answering,
    Deadlines,
    Delta,
    Finish,
    Message,
    Meter,
    Metered,
    ModelSettings,
    StreamEvent,
    Usage,
    estimate_tokens,
    estimate_usage,
    key_for,
)

__all__ = ["Call", "Clock"]

logger = logging.getLogger(__name__)

_END = Piece()
_NOTHING = Usage(prompt_tokens=0, completion_tokens=0, estimated=False)

CLOSING = 1.0
"""Seconds for telling a provider that nobody reads on."""


class Clock:
    """Seconds left of the deadlines of an answer, over all models that are asked for it."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self._attempts = max(deadlines.attempts, deadlines.first_token)  # one model may always have its own time
        self._started = self._asked = time.monotonic()
        self.began = False  # the model has produced something

    def ask_next(self) -> None:
        """Begin with another model, which has a first token of its own to be in time with."""
        self._asked, self.began = time.monotonic(), False

    def left(self) -> float:
        """Until the next sign of life is due."""
        now = time.monotonic()
        total = self._started + self.deadlines.total - now
        if self.began:
            return min(total, self.deadlines.gap)
        attempts = self._started + self._attempts - now
        return min(total, attempts, self._asked + self.deadlines.first_token - now)

    @property
    def spent(self) -> bool:
        """Tell whether there is no time to ask another model."""
        now = time.monotonic() - self._started
        return now >= min(self.deadlines.total, self._attempts)


class Call:
    """Asks one model. ``began`` says that words of its answer were given out; then no other may answer."""

    def __init__(
        self, settings: ModelSettings, messages: Sequence[Message], *, extra_body: Mapping[str, Any] | None,
        clock: Clock, alone: bool, meter: Meter | None,
    ) -> None:  # fmt: skip
        self.began = False
        self._settings, self._messages, self._extra_body = settings, messages, extra_body
        self._clock, self._alone, self._meter = clock, alone, meter
        self._native = NativeCall(settings)
        self._sent = 0.0  # when its last request began, by the monotonic clock
        self._first_token: float | None = None
        self._parts: list[str] = []
        self._silent = 0  # pieces of hidden reasoning
        self._usage: Usage | None = None
        self._detail = ""

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of ``gateway.stream``.

        :raises LanguageModelError: as there.
        """
        started = time.monotonic()
        error: BaseException | None = None
        try:
            async with PLACES.place(self._settings, seconds=self._clock.left()), aclosing(self._attempts()) as events:
                async for event in events:
                    self.began = self.began or not isinstance(event, Answering)  # hidden reasoning may be begun again
                    yield event
            COOLDOWNS.answered(self._settings)
        except BaseException as exc:
            error = exc
            raise
        finally:
            if self._meter is not None:
                self._meter(self._metered(started, error))

    async def _attempts(self) -> AsyncGenerator[StreamEvent, None]:
        attempt = 0
        while True:
            attempt += 1
            try:
                async with aclosing(self._attempt()) as events:
                    async for event in events:
                        yield event
                return
            except Exception as exc:  # the boundary to LiteLLM: providers raise whatever they like
                fault = fault_from(exc, began=self.began)
                if not self.began and self._native.falls_back(fault.error):
                    continue
                self._detail = _detail(exc)
                delay = self._delay(fault, attempt)
                logger.warning(
                    "model %s failed: %s (%s), attempt %d, %s",
                    self._settings.model, fault.error.code, self._detail, attempt,
                    "final" if delay is None else "retried",
                )  # fmt: skip
                if delay is None:
                    if not self.began and not self._was_hurried(fault):
                        COOLDOWNS.failed(self._settings, fault)
                    raise fault.error from exc
            await asyncio.sleep(delay)

    def _delay(self, fault: Fault, attempt: int) -> float | None:
        """Return how long to wait before asking again; a busy model is not waited for while another can answer."""
        if self.began or (fault.busy and not self._alone):
            return None
        return next_delay(fault, attempt=attempt, budget=self._clock.left())

    def _was_hurried(self, fault: Fault) -> bool:
        """Tell whether a model was late only because it had little time: after a queue, or with a hurried caller."""
        if not isinstance(fault.error, ModelTimeout):
            return False
        return self._clock.deadlines.hurried or time.monotonic() - self._sent < self._clock.deadlines.first_token / 2

    async def _attempt(self) -> AsyncGenerator[StreamEvent, None]:
        native, clock = self._native, self._clock
        clock.began, self._sent = False, time.monotonic()
        upstream = await _within(clock, self._open(native.arguments(self._messages)))
        finish = None
        try:
            async with aclosing(read(upstream, native.documents)) as pieces:
                while (piece := await _within(clock, anext(pieces, _END))) is not _END:
                    finish, self._usage = piece.finish or finish, piece.usage or self._usage
                    if piece.alive:
                        native.answered()
                    if (piece.alive or piece.text or piece.citation) and not clock.began:
                        clock.began = True
                        self._first_token = self._first_token or time.monotonic()
                        yield Answering(self._settings)
                    if piece.citation is not None:
                        yield piece.citation
                    if piece.text:
                        self._parts.append(piece.text)
                        yield Delta(piece.text)
                    elif piece.alive:
                        self._silent += 1
        finally:
            await _close(upstream)
        if finish is None:
            raise ModelInterrupted() if self._parts else ModelUnavailable("The language model sent no usable answer.")
        if self._usage is None or is_local(self._settings.model):
            self._usage = self._estimate()
        if not clock.began:
            yield Answering(self._settings)  # with nothing
        yield self._usage
        yield Finish(finish)

    async def _open(self, prompt: Mapping[str, Any]) -> Any:
        settings = self._settings
        arguments: dict[str, Any] = {
            "model": settings.model,
            "api_base": settings.api_base,
            "api_key": key_for(settings),
            "max_tokens": settings.max_output_tokens,
            "temperature": settings.temperature,
            "timeout": self._clock.deadlines.total,
            "stream": True,
            "stream_options": {"include_usage": True},
            "num_retries": 0,
            "max_retries": 0,
            **settings.extra,
            **prompt,
        }
        if self._extra_body:
            arguments["extra_body"] = dict(self._extra_body)
        return await (await litellm_async()).acompletion(**arguments)

    def _estimate(self) -> Usage:
        text = "".join(self._parts)
        usage = estimate_usage(self._messages, text)
        return Usage(
            prompt_tokens=usage.prompt_tokens, completion_tokens=estimate_tokens(text) + self._silent, estimated=True
        )

    def _metered(self, started: float, error: BaseException | None) -> Metered:
        left = isinstance(error, GeneratorExit | asyncio.CancelledError)
        used = self._usage
        if used is None:
            # What was refused is not charged; what was under way when it was left may be.
            under_way = self._first_token or (self._sent and (left or isinstance(error, ModelTimeout)))
            used = self._estimate() if under_way else _NOTHING
        return Metered(
            settings=self._settings,
            status="ok" if error is None else "cancelled" if left else "failed",
            usage=used,
            error=error.code if isinstance(error, LanguageModelError) else "",
            detail=self._detail if isinstance(error, LanguageModelError) else "",
            first_token=None if self._first_token is None else 1000 * (self._first_token - started),
            total=1000 * (time.monotonic() - started),
        )


async def _within(clock: Clock, awaitable: Any) -> Any:
    try:
        async with asyncio.timeout(max(0.0, clock.left())):
            return await awaitable
    except TimeoutError as err:
        raise ModelTimeout() from err


async def _close(upstream: Any) -> None:
    """Close the response, so that the provider sees it and stops; one that hangs in that too is left alone."""
    try:
        async with asyncio.timeout(CLOSING):
            await upstream.aclose()
    except Exception:  # the answer has ended by now, well or not
        logger.info("the stream of a language model could not be closed", exc_info=True)


def _detail(exc: BaseException) -> str:
    """Return the status and kind of a provider's error, never its words."""
    cause = getattr(exc, "original_exception", None) or exc
    status = getattr(cause, "status_code", None)
    return f"{status} {type(cause).__name__}" if isinstance(status, int) else type(cause).__name__
