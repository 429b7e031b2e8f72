from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from knowledge import llm
from tests.support.scripted_model import ScriptedModel


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def scripted(scripted_server: ScriptedModel) -> ScriptedModel:
    scripted_server.reset()
    return scripted_server


@pytest.fixture(scope="session")
def run() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a coroutine on one loop for the session, as a web process does; closes the model clients after."""
    llm.warm_up()
    with asyncio.Runner() as runner:
        yield runner.run
        runner.run(llm.close_clients())
