"""``/chat/completions`` in OpenAI's shape, streaming and not, with citations beside the text."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from chatapp.accounts.auth import AsyncAuth
from chatapp.answering import checked_schema
from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations import access, selectors
from chatapp.conversations.database import in_thread
from chatapp.conversations.models import Conversation
from chatapp.conversations.runs import manager
from chatapp.conversations.services import Ask, StartedRun
from chatapp.conversations.shown import shown_of
from knowledge.tenants.access import Actor
from knowledge.types import Turn

LAST = (
    "usage", "citations", "sentences", "conversation", "no_answer", "related", "query", "answered_by", "in_place_of",
    "answer_mode", "label", "output",
)  # fmt: skip
"""What the last chunk of a stream carries beside the choices."""

WRONG_FORMAT = (
    "This response_format is not kept to here. Send {“type”: “json_schema”, “json_schema”: {“schema”: {…}}}, or leave "
    "it out for text."
)

router = Router(tags=["chat"], auth=AsyncAuth(in_thread=in_thread))


class AnswerFailed(HttpError):
    """The run ended with an error; the problem document carries the run's own code."""

    def __init__(self, event: dict[str, Any]) -> None:
        super().__init__(503 if event["retry"] else 502, event["message"])
        self.code = str(event["code"])


class ChatMessage(Schema):
    role: str
    content: str | list[dict[str, Any]]

    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")


class ChatIn(Schema):
    model: str = "default"
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    stream: bool = False
    knowledge_bases: list[str] | None = Field(default=None, max_length=100)
    conversation: str | None = None
    response_format: dict[str, Any] | None = Field(
        default=None,
        description="As OpenAI's: type text or json_schema; the latter in place of the assistant's schema.",
    )

    def wanted_schema(self) -> dict[str, Any] | None:
        """Return the schema asked for; None for the assistant's own.

        :raises HttpError: a format that is not kept to here.
        """
        asked = self.response_format or {}
        kind, given = asked.get("type", "text"), asked.get("json_schema")
        if kind == "json_schema" and isinstance(given, dict) and isinstance(given.get("schema"), dict):
            return checked_schema(given["schema"])
        if kind != "text":
            raise HttpError(422, WRONG_FORMAT)
        return None


def _ask(data: ChatIn) -> Ask:
    last = data.messages[-1]
    if last.role != "user":
        raise HttpError(422, "The last message must be the user's question.")
    earlier = [m for m in data.messages[:-1] if m.role in ("user", "assistant")]
    return Ask(
        text=last.text(),
        conversation=data.conversation,
        assistant=data.model,
        knowledge_bases=data.knowledge_bases or None,
        origin=Conversation.Origin.API,
        history=tuple(Turn(role=m.role, text=m.text()) for m in earlier) if earlier else None,
        output_schema=data.wanted_schema(),
    )


@router.post("", response=dict[str, Any], openapi_extra={"security": [{"KeyAuth": []}, {"PageAuth": []}]})
async def complete(request: HttpRequest, data: ChatIn) -> Any:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    started = await manager().start(actor=actor, ask=_ask(data))
    if data.stream:
        body = _chunks(started, actor, data.model)
        return StreamingHttpResponse(body, content_type="text/event-stream", headers={"Cache-Control": "no-store"})
    failed = None
    async for event in manager().follow(run=started.run, after=0):
        if event["type"] == "run.error":
            failed = event
    if failed is not None:
        raise AnswerFailed(failed)
    return await in_thread(_completion, actor=actor, run_id=str(started.run.pk), model=data.model)


def _completion(*, actor: Actor, run_id: str, model: str) -> dict[str, Any]:
    run = access.access_run(actor=actor, pk=run_id)
    shown = shown_of(run, actor=actor)
    detail = selectors.run_detail(run, actor=actor, trace=False, shown=shown)
    usage = run.usage or {}
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {
        "id": f"chatcmpl-{run.pk}",
        "object": "chat.completion",
        "created": int(run.started.timestamp()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": strip_sentinels(shown.text)},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        "citations": detail["citations"],
        "sentences": detail["sentences"],
        "run": str(run.pk),
        "conversation": str(run.conversation_id),
        "query": shown.query,
        "no_answer": run.no_answer,
        "answered_by": run.answered_by,
        "in_place_of": run.in_place_of,
        "related": detail["related"],
        "answer_mode": detail["answer_mode"],
        "label": detail["label"],
        "output": detail["output"],
    }


async def _chunks(started: StartedRun, actor: Actor, model: str) -> AsyncIterator[bytes]:
    """Server-sent events: text deltas, then one last chunk that carries the citations."""
    run = str(started.run.pk)
    base = {"id": f"chatcmpl-{run}", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}

    def line(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: " + json.dumps({**base, "choices": [choice], **more}, default=str).encode() + b"\n\n"

    yield line({"role": "assistant", "content": ""}, run=run)
    async for event in manager().follow(run=started.run, after=0):
        if event["type"] == "answer.delta":
            yield line({"content": strip_sentinels(event["text"])})
        elif event["type"] == "run.error":
            error = {"code": event["code"], "message": event["message"]}
            yield b"data: " + json.dumps({"error": error, "run": run}).encode() + b"\n\n"
            break
        elif event["type"] == "answer.done":
            full = await in_thread(_completion, actor=actor, run_id=run, model=model)
            yield line({}, "stop", run=run, **{key: full[key] for key in LAST})
    yield b"data: [DONE]\n\n"
