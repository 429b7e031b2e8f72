"""Streaming chat answers with our own deadlines, retries, fallbacks, errors and accounting."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from knowledge.errors import LanguageModelError
from knowledge.llm.boot import litellm_async
from knowledge.llm.calls import Call, Clock
from knowledge.llm.routing import falls_back, route
from knowledge.llm.types import (
    Completion,
    Delta,
    Finish,
    Message,
    Meter,
    ModelSettings,
    StreamEvent,
    Usage,
    estimate_usage,
)

logger = logging.getLogger(__name__)


async def stream(
    settings: ModelSettings, messages: Sequence[Message], *, extra_body: Mapping[str, Any] | None = None,
    meter: Meter | None = None,
) -> AsyncGenerator[StreamEvent, None]:  # fmt: skip
    """Yield ``Answering``, the answer as ``Delta``s, then one ``Usage``, then one ``Finish``.

    Close it (``contextlib.aclosing``) when leaving early: the provider then sees the disconnect and stops
    generating. Attempts are repeated, and fallbacks of the settings asked, only while nothing has been yielded: the
    texts of two models are never spliced. ``meter`` is told what each model that was asked has used, also then.

    :raises ModelNotConfigured: unknown model, address or key (401, 403, 404).
    :raises ModelRefused: the request itself was not accepted (other 4xx), or is too long, which is seen before.
    :raises ModelBusy: 429, after retries. :raises ModelUnavailable: 5xx or no connection, after retries.
    :raises ModelTimeout: a deadline of the settings passed.
    :raises ModelInterrupted: the answer broke off, or ended without a finish reason.
    """
    await litellm_async()  # the seconds of a first import are ours, not the model's
    clock = Clock(settings.deadlines)
    models = route(settings, messages)
    for number, model in enumerate(models, start=1):
        alone = number == len(models)
        call = Call(model, messages, extra_body=extra_body, clock=clock, alone=alone, meter=meter)
        try:
            async with aclosing(call.events()) as events:
                async for event in events:
                    yield event
            return
        except LanguageModelError as error:
            if call.began or alone or clock.spent or not falls_back(error):
                raise
            logger.warning("model %s is asked instead of %s", models[number].model, model.model)
        clock.ask_next()


async def complete(
    settings: ModelSettings, messages: Sequence[Message], *, extra_body: Mapping[str, Any] | None = None,
    meter: Meter | None = None,
) -> Completion:  # fmt: skip
    """Return the whole answer; deadlines, retries, fallbacks and errors are those of ``stream``."""
    parts: list[str] = []
    usage, finish = estimate_usage(messages, ""), ""
    async with aclosing(stream(settings, messages, extra_body=extra_body, meter=meter)) as events:
        async for event in events:
            match event:
                case Delta(text):
                    parts.append(text)
                case Usage():
                    usage = event
                case Finish(reason):
                    finish = reason
    return Completion(text="".join(parts), usage=usage, finish=finish)
