from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from knowledge.errors import ModelInterrupted, ModelUnavailable
from knowledge.llm import Delta, Finish, ModelSettings, complete, register_local_provider, stream

QUESTION = [{"role": "user", "content": "What did you say?"}]
Run = Callable[[Any], Any]


class Parrot:
    """Repeats the question in words, with a pause after each."""

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.closed = threading.Event()
        self.said = 0

    def stream(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        try:
            for word in messages[-1]["content"].split():
                time.sleep(self.pause)
                self.said += 1
                yield word + " "
        finally:
            self.closed.set()


class Broken:
    def __init__(self, after: int) -> None:
        self.after = after

    def stream(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        yield from ["word "] * self.after
        raise RuntimeError("a defect of ours")


def test_local_model_answers_through_the_same_call(run: Run) -> None:
    register_local_provider("parrot", Parrot())
    completion = run(complete(ModelSettings(model="parrot/default"), QUESTION))
    assert completion.text == "What did you say? "
    assert completion.finish == "stop"
    assert completion.usage.estimated
    assert completion.usage.completion_tokens == 5


def test_local_model_is_streamed_piece_by_piece(run: Run) -> None:
    register_local_provider("parrot", Parrot(pause=0.1))

    async def arrivals() -> list[float]:
        started = time.monotonic()
        times = []
        async with aclosing(stream(ModelSettings(model="parrot/default"), QUESTION)) as events:
            async for event in events:
                if isinstance(event, Delta):
                    times.append(time.monotonic() - started)
        return times

    times = run(arrivals())
    assert len(times) == 4
    assert times[0] < 0.25
    assert times[-1] > 0.35


def test_loop_stays_free_while_a_local_model_works(run: Run) -> None:
    register_local_provider("parrot", Parrot(pause=0.2))

    async def longest_pause() -> float:
        answer = asyncio.create_task(complete(ModelSettings(model="parrot/default"), QUESTION))
        longest = 0.0
        while not answer.done():
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)
        return longest

    assert run(longest_pause()) < 0.15


def test_local_model_is_closed_when_the_reader_leaves(run: Run) -> None:
    parrot = Parrot(pause=0.02)
    register_local_provider("parrot", parrot)

    async def leave() -> None:
        async with aclosing(stream(ModelSettings(model="parrot/default"), QUESTION)) as events:
            async for _ in events:
                break
        await asyncio.to_thread(parrot.closed.wait, 2)

    run(leave())
    assert parrot.closed.is_set()
    assert parrot.said < 4


def test_later_registration_replaces_the_earlier(run: Run) -> None:
    register_local_provider("parrot", Broken(after=0))
    register_local_provider("parrot", Parrot())
    assert run(complete(ModelSettings(model="parrot/default"), QUESTION)).finish == "stop"


@pytest.mark.parametrize(("after", "error"), [(0, ModelUnavailable), (2, ModelInterrupted)])
def test_defect_of_a_local_model_is_a_mapped_error(run: Run, after: int, error: type[Exception]) -> None:
    register_local_provider("broken", Broken(after=after))
    with pytest.raises(error) as caught:
        run(complete(ModelSettings(model="broken/default"), QUESTION))
    assert "defect" not in str(caught.value)


def test_events_of_a_local_model_end_with_usage_and_finish(run: Run) -> None:
    register_local_provider("parrot", Parrot())

    async def collect() -> list[Any]:
        async with aclosing(stream(ModelSettings(model="parrot/default"), QUESTION)) as events:
            return [event async for event in events]

    events = run(collect())
    assert events[-1] == Finish("stop")
    assert [type(event).__name__ for event in events] == ["Answering"] + ["Delta"] * 4 + ["Usage", "Finish"]
