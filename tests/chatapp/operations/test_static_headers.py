from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from chatapp.operations.static_headers import add_headers


def policy(url: str) -> str:
    headers: dict[str, str] = {}
    add_headers(headers, "unused", url)
    return headers["Content-Security-Policy"]


def test_only_the_pdf_worker_may_compile_webassembly() -> None:
    assert "'wasm-unsafe-eval'" in policy("/static/chatapp/dist/pdf-worker-ABCD1234.js")
    for url in ("/static/chatapp/dist/pdf-view-ABCD1234.js", "/static/chatapp/dist/chat-ABCD1234.js", "/static/x.html"):
        assert policy(url) == "default-src 'none'; script-src 'self'; connect-src 'self'"


@pytest.mark.parametrize("url", ["/static/chatapp/dist/pdf-worker-ABCD1234.js", "/static/chatapp/dist/chat.js"])
def test_nothing_may_evaluate_text_or_reach_another_origin(url: str) -> None:
    assert "'unsafe-eval'" not in policy(url).replace("'wasm-unsafe-eval'", "")
    assert "*" not in policy(url)
    assert "http" not in policy(url)


@pytest.mark.django_db
def test_static_files_are_sent_with_their_policy(settings: Any, tmp_path: Path, client: Client) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_USE_FINDERS = False
    settings.WHITENOISE_AUTOREFRESH = False
    (tmp_path / "pdf-worker-ABCD1234.js").write_text("export {};")
    response = client.get("/static/pdf-worker-ABCD1234.js")
    assert response.status_code == 200
    assert "'wasm-unsafe-eval'" in response["Content-Security-Policy"]
    response.close()
