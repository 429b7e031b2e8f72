from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest

from chatapp.operations.bench import client as module
from chatapp.operations.bench.client import Client, Unexpected, Upload, socket_headers, socket_url


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[int, bytes, dict[str, str]]]], list[Any]]:
    """Call with the replies to give; returns the list of requests that will have been made."""

    def answering(replies: list[tuple[int, bytes, dict[str, str]]]) -> list[Any]:
        asked: list[Any] = []

        def urlopen(request: Any, timeout: float) -> Any:
            asked.append(request)
            status, body, headers = replies.pop(0)
            if status >= 400:
                message = Message()
                for name, value in headers.items():
                    message[name] = value
                raise urllib.error.HTTPError(request.full_url, status, "no", message, io.BytesIO(body))
            reply = io.BytesIO(body)
            reply.status = status  # type: ignore[attr-defined]
            return reply

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    return answering


@pytest.fixture
def client() -> Client:
    return Client(url="http://127.0.0.1:1", key="fn_key")


def test_a_429_is_waited_for(server: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    asked = server([(429, b"", {"Retry-After": "2"}), (200, b'{"passages": []}', {})])
    assert client.search("x", ["base"]) == {"passages": []}
    assert (waited, len(asked)) == ([2.0], 2)
    assert asked[0].headers["Authorization"] == "Bearer fn_key"


def test_an_error_says_what_was_answered(server: Any, client: Client) -> None:
    server([(503, b'{"detail": "too long"}', {})])
    with pytest.raises(Unexpected, match="503.*too long"):
        client.ask("x")


def test_a_file_goes_as_one_form_field(server: Any, client: Client) -> None:
    asked = server([(202, b'{"id": "d"}', {})])
    assert client.upload("b", Upload('a"b.txt', b"\x00bytes")) == {"id": "d"}
    boundary = asked[0].headers["Content-type"].split("boundary=")[1].encode()
    parts = asked[0].data.split(b"--" + boundary)
    assert parts[1].endswith(b"\r\n\r\n\x00bytes\r\n")
    assert b'filename="a\'b.txt"' in parts[1]
    assert parts[2] == b"--\r\n"


def test_documents_are_read_page_by_page(server: Any, client: Client) -> None:
    asked = server(
        [
            (200, b'{"items": [{"id": "1"}], "next_cursor": "c="}', {}),
            (200, b'{"items": [{"id": "2"}], "next_cursor": null}', {}),
        ]
    )
    assert list(client.documents("b")) == ["1", "2"]
    assert "cursor=c%3D" in asked[1].full_url


def test_waiting_ends_with_the_names_of_what_is_stuck(server: Any, client: Client) -> None:
    page = b'{"items": [{"id": "1", "status": "parsing", "title": "slow.pdf"}], "next_cursor": null}'
    server([(200, page, {})] * 3)
    with pytest.raises(Unexpected, match=r"slow\.pdf"):
        client.wait("b", ["1"], limit=0)


def test_addresses_of_the_socket() -> None:
    assert socket_url("http://127.0.0.1:8000") == "ws://127.0.0.1:8000/ws/chat/"
    assert socket_headers(url="http://h", cookie="a=b") == {"Cookie": "a=b", "Origin": "http://h"}
