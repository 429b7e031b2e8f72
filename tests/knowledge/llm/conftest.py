from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from knowledge import llm


@pytest.fixture(scope="session")
def run() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a coroutine on one loop for the session, as a web process does; closes the model clients after."""
    llm.warm_up()
    with asyncio.Runner() as runner:
        yield runner.run
        runner.run(llm.close_clients())
