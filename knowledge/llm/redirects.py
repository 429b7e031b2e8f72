"""LiteLLM's connections follow no redirects: an address that was judged must not hand the call on to another."""

from __future__ import annotations

from typing import Any

__all__ = ["follow_no_redirects"]


def follow_no_redirects() -> None:
    """Change LiteLLM's two makers of connections, that of OpenAI's SDK and its own; call once, after its import."""
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
    from litellm.llms.openai.common_utils import BaseOpenAILLM

    openai: Any = BaseOpenAILLM
    made_for_openai, made = openai._get_async_http_client, AsyncHTTPHandler.create_client

    def for_openai(*arguments: Any, **named: Any) -> Any:
        return _without(made_for_openai(*arguments, **named))

    def own(self: AsyncHTTPHandler, *arguments: Any, **named: Any) -> Any:
        return _without(made(self, *arguments, **named))

    openai._get_async_http_client = staticmethod(for_openai)
    handler: Any = AsyncHTTPHandler
    handler.create_client = own


def _without(client: Any) -> Any:
    if client is not None:
        client.follow_redirects = False
    return client
