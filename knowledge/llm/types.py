"""What goes into and comes out of a call to a language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

Message: TypeAlias = Mapping[str, Any]
"""One chat message in OpenAI's shape: ``{"role": ..., "content": ...}``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds. ``first_token`` is of each model of a chain and includes retries and waiting for a free place;
    ``attempts`` is of all of them together; ``gap`` is the longest silence inside an answer.

    ``hurried``: the caller is in more of a hurry than a healthy model need be, so being late says nothing about it.
    """

    first_token: float = 20.0
    attempts: float = 60.0
    gap: float = 15.0
    total: float = 180.0
    hurried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A passage as a provider that cites by itself is handed it; ``context`` is told, but never cited."""

    label: str
    title: str
    text: str
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Passages to send as documents, and what then stands in the newest message instead of its content."""

    documents: tuple[Document, ...]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars a token."""

    prompt: float
    completion: float

    def of(self, *, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the US dollars of so many tokens; discounts of providers for cached ones are not counted."""
        return self.prompt * prompt_tokens + self.completion * completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """How to reach one model. ``model`` is a LiteLLM model string, e.g. ``hosted_vllm/qwen3-4b``.

    ``fallbacks`` answer in their order when it does not, before its first token. The deadlines of a call, and the most
    tokens it may write, are those of the model that was asked.
    """

    model: str
    name: str = ""  # as people know it
    entry: str = ""  # id of its row in a catalogue
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    max_output_tokens: int = 1024
    context_window: int = 8192
    temperature: float | None = 0.0
    deadlines: Deadlines = Deadlines()
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)  # further LiteLLM arguments; some are secret
    max_parallel: int | None = None  # calls of it at once, of this process
    price: Price | None = None  # None: of LiteLLM's list
    fallbacks: tuple[ModelSettings, ...] = ()
    native_citations: bool = False  # the provider may cite in its own way beside the markers
    handover: Handover | None = None  # of one call


@dataclass(frozen=True, slots=True)
class Answering:
    """Which model answers, known with its first sign of life: the one asked, or a fallback of it."""

    settings: ModelSettings

    @property
    def model(self) -> str:
        return self.settings.model

    @property
    def entry(self) -> str:
        return self.settings.entry


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeCitation:
    """What the provider cites for the words of the answer that came right before: a candidate, to be checked.

    ``start`` and ``end`` are characters of the document handed over, ``quote`` is what the provider copied out of it
    (None: it copies nothing). ``since`` is the text that came after the words it belongs to.
    """

    label: str  # empty: none of the documents handed over
    quote: str | None
    start: int | None = None
    end: int | None = None
    since: str = ""
    fault: str = ""  # why it is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; ``estimated`` when the model did not say."""

    prompt_tokens: int
    completion_tokens: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """Why the model ended: ``stop``, ``length``, ``content_filter`` or the provider's own word."""

    reason: str


def key_for(settings: ModelSettings) -> str | None:
    """The key to send. A server of one's own without a key gets a placeholder: OpenAI's SDK demands
    one, and would otherwise send that server the key of the environment."""
    return settings.api_key or ("none" if settings.api_base else None)


StreamEvent: TypeAlias = Answering | Delta | NativeCitation | Usage | Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What one call of one model used, however it ended; repeated attempts are one call. Milliseconds.

    A call that was refused before the model began used nothing. One that was stopped or broke off used what it was sent
    and what it had written, counted here.
    """

    settings: ModelSettings
    status: Literal["ok", "cancelled", "failed"]
    usage: Usage
    error: str = ""  # code of a ``LanguageModelError``
    detail: str = ""  # what the provider's answer was, without its words: they may hold a key or a prompt
    first_token: float | None = None
    total: float = 0.0


Meter: TypeAlias = Callable[[Metered], None]
"""Is told of every call when it has ended, be it cancelled; must not wait for anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    text: str
    usage: Usage
    finish: str


class LocalModel(Protocol):
    """A model inside this process, reached through LiteLLM under a provider name of its own."""

    def stream(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        """Yield the answer piece by piece. Runs in a thread; closed early when the reader goes away."""
        ...


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: one for four bytes, which is four Latin letters or one Han sign."""
    return (len(text.encode("utf-8", "replace")) + 3) // 4


def estimate_usage(messages: Sequence[Message], answer: str) -> Usage:
    """Usage of a call whose model did not report any, or that was cut short."""
    prompt = sum(estimate_tokens(str(message.get("content") or "")) + 4 for message in messages)
    return Usage(prompt_tokens=prompt, completion_tokens=estimate_tokens(answer), estimated=True)
