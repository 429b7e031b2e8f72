"""Reading a LiteLLM stream: text, reasons and usage from whatever a provider's chunks look like."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from knowledge.errors import LanguageModelError
from knowledge.llm.faults import error_for_status
from knowledge.llm.native_streams import AnthropicReader, CohereReader, Reader
from knowledge.llm.pieces import Piece
from knowledge.llm.types import Usage


async def read(stream: Any, documents: Sequence[str] = ()) -> AsyncGenerator[Piece, None]:
    """Yield the pieces of a stream that ``litellm.acompletion`` returned; ``documents`` are the labels handed over.

    LiteLLM builds three models of its own per chunk (0.35 ms here, ten times the rest of the work),
    drops chunks whose text holds "[DONE]", splits lines at U+2028, and replaces a missing finish reason
    by "stop". So the two OpenAI-shaped routes, ``hosted_vllm/`` with its kin and ``openai/``, are read
    from the HTTP response that LiteLLM opened; so are Cohere, and Anthropic where documents were handed over (see
    ``native_streams``). Every other provider is read as LiteLLM gives it.
    """
    inner = getattr(stream, "completion_stream", None)
    response = _openai_response(inner)
    native, reader = _native_response(inner, documents)
    if native is not None and reader is not None:
        async for piece in _native(native, reader):
            yield piece
    elif response is None:
        async for piece in _decorated(stream):
            yield piece
    else:
        async for data in _events(response):
            yield _piece_of_json(data)


def _openai_response(inner: Any) -> Any:
    """The open ``httpx.Response`` when it carries OpenAI's event stream, else None."""
    from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler as Handler
    from openai import AsyncStream

    if isinstance(inner, AsyncStream):
        return inner.response
    # An heir with a parser of its own speaks a dialect.
    if isinstance(inner, Handler) and type(inner).chunk_parser is Handler.chunk_parser:
        return inner.http_response
    return None


def _native_response(inner: Any, documents: Sequence[str]) -> tuple[Any, Reader | None]:
    """The open response of a provider whose own events are read, and their reader."""
    from litellm.llms.anthropic.chat.handler import ModelResponseIterator
    from litellm.llms.cohere.common_utils import CohereV2ModelResponseIterator

    reader: Reader | None = None
    if type(inner) is CohereV2ModelResponseIterator:
        reader = CohereReader(documents)
    elif type(inner) is ModelResponseIterator and documents:
        reader = AnthropicReader(documents)
    # LiteLLM keeps only ``response.aiter_lines()``, which has not begun.
    frame = getattr(getattr(inner, "streaming_response", None), "ag_frame", None)
    response = frame.f_locals.get("self") if frame is not None else None
    return (response, reader) if hasattr(response, "aiter_bytes") else (None, None)


async def _native(response: Any, reader: Reader) -> AsyncGenerator[Piece, None]:
    try:
        async for event in _events(response):
            for piece in reader.take(event):
                yield piece
    except Exception:  # what had come is given before the error
        for piece in reader.end():
            yield piece
        raise
    finally:
        await response.aclose()
    for piece in reader.end():
        yield piece


async def _events(response: Any) -> AsyncGenerator[Any, None]:
    """Yield the JSON of each server-sent event until ``[DONE]``.

    :raises ValueError: an event is neither JSON nor UTF-8.
    """
    rest = b""
    async for block in response.aiter_bytes():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            field, _, data = line.partition(b":")
            data = data.strip()
            if field != b"data" or not data:
                continue
            if data == b"[DONE]":
                return
            yield json.loads(data)


def _piece_of_json(chunk: Any) -> Piece:
    if not isinstance(chunk, Mapping):
        return Piece()
    if chunk.get("error"):
        raise _error_in_stream(chunk["error"])
    usage = _usage(chunk.get("usage"))
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Piece(usage=usage)
    delta = choices[0].get("delta")
    if not isinstance(delta, dict):
        delta = {}
    text = delta.get("content")
    text = text if isinstance(text, str) else ""
    thinking = delta.get("reasoning_content") or delta.get("reasoning")
    return Piece(text, bool(text or thinking), choices[0].get("finish_reason"), usage)


def _piece_of_object(chunk: Any) -> Piece:
    usage = _usage(getattr(chunk, "usage", None))
    choices = getattr(chunk, "choices", None)
    if not choices:
        return Piece(usage=usage)
    delta = choices[0].delta
    text = getattr(delta, "content", None)
    text = text if isinstance(text, str) else ""
    thinking = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
    return Piece(text, bool(text or thinking), choices[0].finish_reason, usage)


async def _decorated(stream: Any) -> AsyncGenerator[Piece, None]:
    finish: str | None = None
    async for chunk in stream:
        piece = _piece_of_object(chunk)
        finish = piece.finish or finish
        yield Piece(piece.text, piece.alive)
        # LiteLLM keeps the provider's usage here and hides it from the chunk; once it is there and
        # the reason too, reading on would only make LiteLLM count the tokens itself.
        if finish and any(getattr(kept, "usage", None) for kept in stream.chunks):
            break
    reported = next((u for kept in stream.chunks if (u := _usage(getattr(kept, "usage", None)))), None)
    said = stream.received_finish_reason or stream.intermittent_finish_reason
    yield Piece(finish=(finish or said) if said else None, usage=reported)


def _usage(raw: Any) -> Usage | None:
    if raw is None:
        return None
    read_key: Any = raw.get if isinstance(raw, Mapping) else lambda key: getattr(raw, key, None)
    prompt, completion = read_key("prompt_tokens"), read_key("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion, estimated=False)


def _error_in_stream(error: Any) -> LanguageModelError:
    """An error that an OpenAI-compatible server sends inside a stream that began with 200."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return error_for_status(code if isinstance(code, int) and 400 <= code < 600 else 500)
