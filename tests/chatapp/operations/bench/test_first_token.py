from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from chatapp.operations.bench import first_token
from chatapp.operations.bench.client import Unexpected

PROMPT = [{"role": "user", "content": "hello"}]


async def measured(
    handler: Callable[[ServerConnection], Any], *, model_url: str, at_once: int
) -> first_token.FirstToken:
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await first_token.measure(
            url=f"http://127.0.0.1:{port}", headers={}, base="b", question=lambda: "q", model_url=model_url,
            model="scripted-ok", prompt=PROMPT, at_once=at_once, rounds=2,
        )  # fmt: skip


async def test_the_time_to_the_first_words_counts_not_to_the_end(scripted_model: Any) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(socket: ServerConnection) -> None:
        async for message in socket:
            asked.append(json.loads(message))
            await asyncio.sleep(0.1)
            for kind, pause in (("run.started", 0), ("answer.delta", 0), ("answer.delta", 0.4), ("answer.done", 0)):
                await asyncio.sleep(pause)
                await socket.send(json.dumps({"type": kind, "text": "x"}))

    found = await measured(answer, model_url=scripted_model.url, at_once=3)
    assert found.questions == len(asked) == 6
    assert 100 <= found.product.p50 < 400
    assert 0 < found.direct.p50
    assert found.added_p50 == pytest.approx(found.product.p50 - found.direct.p50, abs=0.2)
    assert {message["knowledge_bases"][0] for message in asked} == {"b"}
    assert len({message["client_id"] for message in asked}) == 6
    assert scripted_model.calls["models"]["scripted-ok"] == 6


async def test_a_failed_run_is_no_measurement(scripted_model: Any) -> None:
    async def answer(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(json.dumps({"type": "run.error", "message": "too long"}))

    with pytest.raises(Unexpected, match="too long"):
        await measured(answer, model_url=scripted_model.url, at_once=1)
