"""OpenAI's shapes: requests read, answers and errors written."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Asked", "Refused", "Said", "Stream", "read_request", "whole"]

ROLES = frozenset({"system", "user", "assistant", "developer", "tool"})
MOST_STOPS = 8
TOP_P = 1.0


class Refused(Exception):
    """A request that is not answered: status, machine code and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> dict[str, Any]:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A chat request."""

    model: str
    messages: Sequence[Mapping[str, str]]
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[str, ...]
    stream: bool


@dataclass(slots=True)
class Said:
    """What came of it."""

    prompt_tokens: int
    completion_tokens: int = 0
    finish: str = ""
    text: list[str] = field(default_factory=list)

    def usage(self) -> dict[str, int]:
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens, "total_tokens": total,
        }  # fmt: skip


def read_request(body: bytes) -> Asked:
    """Read a chat request.

    :raises Refused: it is not one.
    """
    try:
        data = json.loads(body)
        if not isinstance(data, dict):
            raise TypeError
    except (ValueError, TypeError) as error:
        raise Refused(400, "invalid_json", "The request is not a JSON object.") from error
    most = data.get("max_completion_tokens", data.get("max_tokens"))
    return Asked(
        model=str(data.get("model") or ""),
        messages=_messages(data.get("messages")),
        max_tokens=None if most is None else int(_number(most, "max_tokens", low=1, high=1_000_000)),
        temperature=_number(data.get("temperature"), "temperature", low=0, high=2, default=1.0),
        top_p=_number(data.get("top_p"), "top_p", low=0, high=1, default=TOP_P),
        seed=None if data.get("seed") is None else int(_number(data["seed"], "seed", low=0, high=2**63 - 1)),
        stop=_stops(data.get("stop")),
        stream=bool(data.get("stream")),
    )


def _messages(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, list) or not given:
        raise Refused(400, "invalid_messages", "messages must be a list that is not empty.")
    read = []
    for message in given:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Refused(400, "invalid_messages", "Each message needs a role and a content.")
        read.append({"role": message["role"], "content": _text(message.get("content"))})
    return read


def _text(content: Any) -> str:
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        if any(part.get("type") != "text" for part in content):
            raise Refused(400, "text_only", "This model reads text only.")
        return "".join(str(part.get("text") or "") for part in content)
    if content is None or isinstance(content, str):
        return content or ""
    raise Refused(400, "invalid_messages", "The content of a message must be text.")


def _stops(given: Any) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given or []
    if not isinstance(listed, list) or len(listed) > MOST_STOPS or not all(isinstance(s, str) and s for s in listed):
        raise Refused(400, "invalid_stop", f"stop must be a text or a list of at most {MOST_STOPS}.")
    return tuple(listed)


def _number(given: Any, name: str, *, low: float, high: float, default: float | None = None) -> float:
    given = default if given is None else given
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise Refused(400, f"invalid_{name}", f"{name} must be a number from {low} to {high}.")
    return given


class Stream:
    """The chunks of one streamed answer."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion.chunk", "created": int(time.time()),
            "model": model,
        }  # fmt: skip

    def text(self, piece: str, *, first: bool) -> bytes:
        delta = {"role": "assistant", "content": piece} if first else {"content": piece}
        return self._event(choices=[{"index": 0, "delta": delta, "finish_reason": None}])

    def end(self, said: Said) -> bytes:
        """The finish reason, the usage (always) and the end of the stream."""
        last = self._event(choices=[{"index": 0, "delta": {}, "finish_reason": said.finish}])
        return last + self._event(choices=[], usage=said.usage()) + b"data: [DONE]\n\n"

    def error(self, refused: Refused) -> bytes:
        return b"data: " + json.dumps(refused.body()).encode() + b"\n\ndata: [DONE]\n\n"

    def _event(self, **more: Any) -> bytes:
        return b"data: " + json.dumps({**self._head, **more}, ensure_ascii=False).encode() + b"\n\n"


def whole(model: str, said: Said) -> dict[str, Any]:
    """Return an answer that was not streamed."""
    message = {"role": "assistant", "content": "".join(said.text)}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion", "created": int(time.time()), "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": said.finish}], "usage": said.usage(),
    }  # fmt: skip
