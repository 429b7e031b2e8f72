"""A server that sends a call elsewhere is not followed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from knowledge.errors import LanguageModelError
from knowledge.llm import Deadlines, ModelSettings, complete


@pytest.fixture(params=[302, 307])
def redirecting(request: Any, scripted_model: Any) -> Iterator[str]:
    """A server that answers every request with the address of the scripted model."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(request.param)
            self.send_header("Location", f"{scripted_model.url}/chat/completions")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("prefix", ["openai", "hosted_vllm", "ollama_chat"])
def test_no_redirect_is_followed(redirecting: str, scripted_model: Any, prefix: str) -> None:
    settings = ModelSettings(
        model=f"{prefix}/scripted-ok", api_base=redirecting, deadlines=Deadlines(first_token=20, total=30)
    )
    with pytest.raises(LanguageModelError):
        asyncio.run(complete(settings, [{"role": "user", "content": "Hello"}]))
    assert scripted_model.calls["total"] == 0
