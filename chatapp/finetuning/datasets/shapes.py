"""What a row is before it is stored: messages, completion, and the words it was made from."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chatapp.answering.lines import NO_ANSWER
from chatapp.answering.prompt import last_question

__all__ = ["Messages", "Proposal", "SourceOf", "canonical", "is_refusal", "kind_of", "question_of", "row_key"]

Messages: TypeAlias = Sequence[Mapping[str, str]]
"""Chat messages in OpenAI's shape, the newest last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOf:
    """Where a row comes from: a range of a version's text, an answer, or a case. ``role`` is one of RowSource.Role."""

    role: str
    document: uuid.UUID | None = None
    base: uuid.UUID | None = None
    version: int | None = None
    start: int | None = None
    end: int | None = None
    title: str = ""
    run: uuid.UUID | None = None
    case: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A row as a builder proposes it; whether it may be approved is found out when it is stored."""

    origin: str
    prompt: Messages
    completion: str
    sources: tuple[SourceOf, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return row_key(self.prompt, self.completion)


def canonical(value: Any) -> str:
    """Return JSON that is the same for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def row_key(prompt: Messages, completion: str) -> str:
    """Return the SHA-256 of prompt and completion as canonical JSON, in hexadecimal."""
    whole = canonical({"prompt": [dict(message) for message in prompt], "completion": completion})
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def question_of(prompt: Messages) -> str:
    """Return what the newest user message asks, without the sources before it."""
    asked = [message for message in prompt if message.get("role") == "user"]
    if not asked:
        return ""
    sources, question, _ = last_question(asked[-1:])
    return question if sources else asked[-1]["content"].rpartition("Question: ")[2].strip()


def is_refusal(completion: str) -> bool:
    """Tell whether a completion says, as the contract wants it, that the sources do not hold the answer."""
    return completion.split("\n", 1)[0].strip() == NO_ANSWER


def kind_of(prompt: Messages, completion: str) -> str:
    """Return the kind of a row by its text, one of TrainingRow.Kind."""
    sources, _, _ = last_question(prompt)
    if not sources:
        return "instruction"
    return "refusal" if is_refusal(completion) else "grounded"
