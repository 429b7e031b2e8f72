"""Importing LiteLLM once, late, and with its network look-ups, telemetry and ``.env`` reading off.

The import takes 3 to 7 seconds and 160 MB, so nothing here runs before the first call or ``warm_up``.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from knowledge.llm.redirects import follow_no_redirects

logger = logging.getLogger(__name__)

T = TypeVar("T")

_lock = threading.Lock()
_module: Any = None
_waiting: list[Callable[[Any], None]] = []


def litellm() -> Any:
    """Return the configured LiteLLM module, importing it on the first call. Thread-safe."""
    if _module is None:
        with _lock:
            if _module is None:
                _import()
    return _module


def loaded() -> Any:
    """Return the module where it has been imported already, else None."""
    return _module


def on_import(action: Callable[[Any], None]) -> None:
    """Run ``action(module)`` when LiteLLM is loaded; at once if it already is."""
    with _lock:
        if _module is None:
            _waiting.append(action)
            return
    action(_module)


async def litellm_async() -> Any:
    """Return the module without blocking the event loop for the seconds of a first import."""
    return _module or await asyncio.to_thread(litellm)


def warm_up() -> None:
    """Import LiteLLM now; for a background thread of a process that will need it."""
    litellm()


async def close_clients() -> None:
    """Close the HTTP connections LiteLLM keeps open; before an event loop that called models ends."""
    if _module is None:
        return
    await _module.close_litellm_async_clients()
    shared = vars(_module).get("module_level_aclient")  # Anthropic's; it is in the cache only until the first flush
    if shared is not None:
        try:
            await shared.close()
        except RuntimeError:  # last used on an event loop that is over: its connections went with that
            logger.debug("The shared client belongs to another event loop", exc_info=True)
    for client in list(_module.in_memory_llm_clients_cache.cache_dict.values()):
        close = getattr(client, "close", None)
        if close is not None and not inspect.iscoroutinefunction(close):
            close()
    _module.in_memory_llm_clients_cache.flush_cache()  # or the next call would be handed a closed client


def run_apart(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run calls of models from blocking code in an event loop of their own, and close the connections made in it."""

    async def closing() -> T:
        try:
            return await call()
        finally:
            await _close_clients_of_this_loop()

    return asyncio.run(closing())


async def _close_clients_of_this_loop() -> None:
    if _module is None:
        return
    kept = _module.in_memory_llm_clients_cache.cache_dict  # its keys end with the id of the loop
    own = f"-{id(asyncio.get_running_loop())}"
    for key in [key for key in kept if str(key).endswith(own)]:
        client = kept.pop(key)
        close = getattr(client, "aclose", None) or getattr(client, "close", None)
        closed = close() if close is not None else None
        if inspect.isawaitable(closed):
            await closed


def _import() -> None:
    global _module
    # Assigned, not defaulted: in its DEV mode LiteLLM reads a .env file, and without the local price
    # map it asks GitHub for one at import.
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    started = time.monotonic()
    with warnings.catch_warnings():
        # Its type definitions make pydantic warn, at import and when a model is first built.
        warnings.simplefilter("ignore")
        import litellm as imported
        import litellm.llms.cohere.chat.transformation  # its types warn too, and at the first call otherwise

        module: Any = imported
        said = {"role": "assistant", "content": "."}
        module.ModelResponseStream(choices=[{"index": 0, "delta": said}])
        module.ModelResponse(choices=[{"index": 0, "message": said}])

    follow_no_redirects()
    module.suppress_debug_info = True
    module.telemetry = False
    module.drop_params = True
    module.disable_hf_tokenizer_download = True
    module.turn_off_message_logging = True
    module.disable_streaming_logging = True
    # It prices every stream before the first token, a millisecond each time. Usage and prices are our own rows.
    module.response_cost_calculator = lambda **_: 0.0
    module.DEFAULT_MAX_RETRIES = 0  # its embedding call reads a given 0 as "not given"
    # Its loggers may print request bodies; ours say what happened without them.
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for action in _waiting:
        action(module)
    _waiting.clear()
    _module = module
    logger.info("LiteLLM imported in %.1f s", time.monotonic() - started)
