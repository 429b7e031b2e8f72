"""Models of our own behind LiteLLM: ``register_local_provider("extractive", model)`` makes
``model="extractive/default"`` answer through the same call as any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from knowledge.llm.boot import on_import
from knowledge.llm.types import LocalModel, estimate_usage

_lock = threading.Lock()
_models: dict[str, LocalModel] = {}
_END: Any = object()


def register_local_provider(name: str, model: LocalModel) -> None:
    """Make ``model`` answer for every model string that begins with ``name/``; a later call replaces it.

    Does not import LiteLLM: the provider is handed over when LiteLLM is loaded.
    """
    with _lock:
        known = name in _models
        _models[name] = model
    if not known:
        on_import(lambda module: _hand_over(module, name))


def is_local(model: str) -> bool:
    return model.partition("/")[0] in _models


def _hand_over(module: Any, name: str) -> None:
    handler = _handler_class(module)(name)
    module.custom_provider_map = [
        *(entry for entry in module.custom_provider_map if entry["provider"] != name),
        {"provider": name, "custom_handler": handler},
    ]


def _handler_class(module: Any) -> Any:
    class Handler(module.CustomLLM):  # type: ignore[misc]
        def __init__(self, provider: str) -> None:
            super().__init__()
            self._provider = provider

        async def astreaming(self, *_: Any, messages: Any, **__: Any) -> AsyncIterator[dict[str, Any]]:
            """Stream LiteLLM's generic chunks; signature by keyword, as LiteLLM calls it."""
            said: list[str] = []
            pieces = _threaded(_models[self._provider].stream(messages))
            try:
                async for text in pieces:
                    said.append(text)
                    yield _generic_chunk(text)
            finally:
                await pieces.aclose()
            usage = estimate_usage(messages, "".join(said))
            yield _generic_chunk("", finish="stop", prompt=usage.prompt_tokens, completion=usage.completion_tokens)

    return Handler


def _generic_chunk(text: str, *, finish: str = "", prompt: int = 0, completion: int = 0) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {
        "text": text,
        "is_finished": bool(finish),
        "finish_reason": finish,
        "usage": usage if finish else None,
        "index": 0,
        "tool_use": None,
    }


async def _threaded(items: Iterator[str]) -> AsyncGenerator[str, None]:
    """Run a blocking iterator in the thread pool, one item at a time, and close it when left early."""
    loop = asyncio.get_running_loop()
    pending: asyncio.Future[Any] | None = None
    try:
        while True:
            pending = loop.run_in_executor(None, next, items, _END)
            item = await asyncio.shield(pending)
            if item is _END:
                return
            yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None and pending is not None:
            # A running generator cannot be closed: wait for the item that is being made.
            pending.add_done_callback(lambda _: close())
