"""Answers that were really given, and a browser without scripts that looks at how they came about."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.test import Client

QUESTION = "When must visitors register at the desk?"
SAID = ["Visitors register at the front desk before 18:00 [S", "1]", ". They pay 14 euros [S1]. Ask Bob [S9]."]


@pytest.fixture
def answered(library: Any, use_model: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any) -> Any:
    """Await with a script (and a question) to have it answered; returns the id of the run."""

    async def ask(said: list[str] | None = None, question: str = QUESTION) -> str:
        scripted_model.script(SAID if said is None else said)
        await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
        chat = await open_chat(owner)
        events = await chat.ask(question)
        return str(events[0]["run"])

    return ask


@pytest.fixture
def fetch(rows: Any) -> Callable[..., Awaitable[Any]]:
    """Await with a user and a path to get a response."""

    def get(user: Any, path: str) -> Any:
        client = Client()
        client.force_login(user)
        return client.get(path)

    async def wait(user: Any, path: str) -> Any:
        return await rows(get, user, path)

    return wait


@pytest.fixture
def words() -> Callable[[Any], str]:
    """Call with a response to get the words of its page, without its tags."""

    def plain(response: Any) -> str:
        assert response.status_code == 200, response.content[:500]
        text = re.sub(r"<[^>]+>", " ", response.content.decode())
        return " ".join(text.split()).replace("&#x27;", "'")

    return plain
