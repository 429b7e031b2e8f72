"""Which models are asked for an answer, in which order, and when the next one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from knowledge.errors import (
    LanguageModelError,
    ModelBusy,
    ModelNotConfigured,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from knowledge.llm.cooldown import COOLDOWNS
from knowledge.llm.faults import TOO_LONG
from knowledge.llm.local import is_local
from knowledge.llm.types import Message, ModelSettings, estimate_usage

__all__ = ["falls_back", "route"]

LEAST_OUTPUT = 64
"""Tokens of an answer that must fit into the window beside the prompt."""


def route(settings: ModelSettings, messages: Sequence[Message]) -> list[ModelSettings]:
    """Return the models to ask, as they are to be asked: those whose window holds the prompt, without those that rest.

    Where all of them rest, the one that was asked is: a late answer is better than none.

    :raises ModelRefused: the prompt is too long for every one of them; nothing was sent.
    """
    prompt = estimate_usage(messages, "").prompt_tokens
    chain = [settings, *(_instead_of(settings, other) for other in settings.fallbacks)]
    fitting = [fitted for each in chain if (fitted := _fitted(each, prompt)) is not None]
    if not fitting:
        raise ModelRefused(TOO_LONG)
    return [each for each in fitting if not COOLDOWNS.left(each)] or fitting[:1]


def falls_back(error: LanguageModelError) -> bool:
    """Tell whether another model may answer what one did not; a request that was refused is refused by the next too."""
    return isinstance(error, ModelBusy | ModelUnavailable | ModelTimeout | ModelNotConfigured)


def _instead_of(asked: ModelSettings, other: ModelSettings) -> ModelSettings:
    """Return a fallback with the limits that the caller set on the model it asked."""
    return replace(
        other, deadlines=asked.deadlines, max_output_tokens=min(asked.max_output_tokens, other.max_output_tokens)
    )


def _fitted(settings: ModelSettings, prompt: int) -> ModelSettings | None:
    """Return the settings with no more output than the window has room for beside the prompt."""
    if is_local(settings.model):
        return settings  # it reads what it is given
    room = settings.context_window - prompt
    if room < min(LEAST_OUTPUT, settings.max_output_tokens):
        return None
    return replace(settings, max_output_tokens=min(settings.max_output_tokens, room))
