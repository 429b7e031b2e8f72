"""Several models for one answer: fallbacks, rest, places, the window, and what each call is counted as."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from knowledge.errors import (
    KnowledgeError,
    ModelBusy,
    ModelInterrupted,
    ModelNotConfigured,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from knowledge.llm import Answering, Deadlines, Delta, Metered, ModelSettings, Usage, stream
from knowledge.llm.cooldown import COOLDOWNS, LONGEST_REST, REST, Cooldowns
from knowledge.llm.faults import TOO_LONG, Fault
from knowledge.llm.places import PLACES
from tests.support.scripted_model import OK_ANSWER, ScriptedModel

QUESTION = [{"role": "user", "content": "What is the answer?"}]
DEADLINES = Deadlines(first_token=10, gap=10, total=30)
Run = Callable[[Any], Any]
Make = Callable[..., ModelSettings]


@pytest.fixture(autouse=True)
def _rested() -> Iterator[None]:
    COOLDOWNS.clear()
    yield
    COOLDOWNS.clear()


@pytest.fixture
def make(scripted: ScriptedModel) -> Make:
    """Call with names of the scripted model: the second and later ones are fallbacks of the first."""

    def settings(name: str, *others: str, **changes: Any) -> ModelSettings:
        deadlines = changes.pop("deadlines", DEADLINES)
        fallbacks = tuple(settings(other) for other in others)
        return ModelSettings(
            model=f"openai/{name}", entry=name, api_base=scripted.url, deadlines=deadlines, fallbacks=fallbacks,
            **changes,
        )  # fmt: skip

    return settings


class Told(list[Metered]):
    """A meter that keeps what it is told."""

    @property
    def short(self) -> list[tuple[str, str, str]]:
        return [(each.settings.entry, each.status, each.error) for each in self]


async def collect(
    settings: ModelSettings, meter: Any = None, messages: Any = QUESTION
) -> tuple[list[Any], KnowledgeError | None]:  # fmt: skip
    events: list[Any] = []
    try:
        async with aclosing(stream(settings, messages, meter=meter)) as source:
            async for event in source:
                events.append(event)
    except KnowledgeError as err:
        return events, err
    return events, None


def text_of(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def answered_by(events: list[Any]) -> list[str]:
    return [event.entry for event in events if isinstance(event, Answering)]


# --- fallbacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error", "requests"),
    [
        ("scripted-429", ModelBusy, 1),
        ("scripted-429-after-60", ModelBusy, 1),
        ("scripted-500", ModelUnavailable, 3),
        ("scripted-reset-first", ModelUnavailable, 3),
        ("scripted-200-html", ModelUnavailable, 3),
        ("scripted-401", ModelNotConfigured, 1),
    ],
)
def test_another_model_answers_instead_and_is_named(
    run: Run, scripted: ScriptedModel, make: Make, name: str, error: type[KnowledgeError], requests: int
) -> None:
    told = Told()
    events, raised = run(collect(make(name, "scripted-ok"), told.append))
    assert raised is None
    assert answered_by(events) == ["scripted-ok"]
    assert text_of(events) == OK_ANSWER
    assert scripted.calls["models"] == {name: requests, "scripted-ok": 1}
    assert told.short == [(name, "failed", error.code), ("scripted-ok", "ok", "")]
    assert told[0].usage == Usage(prompt_tokens=0, completion_tokens=0, estimated=False), "a refusal costs nothing"


def test_a_late_first_token_is_not_waited_for_twice(run: Run, scripted: ScriptedModel, make: Make) -> None:
    deadlines = Deadlines(first_token=0.4, gap=5, total=10)
    told, started = Told(), time.monotonic()
    events, raised = run(collect(make("scripted-hang", "scripted-ok", deadlines=deadlines), told.append))
    assert raised is None
    assert time.monotonic() - started < 2
    assert answered_by(events) == ["scripted-ok"]
    assert told.short[0] == ("scripted-hang", "failed", "model_timeout")
    assert told[0].usage.prompt_tokens > 0, "it may charge for what it had begun to read"


@pytest.mark.parametrize("name", ["scripted-reset", "scripted-garbage", "scripted-error-event", "scripted-no-finish"])
def test_no_other_model_goes_on_with_an_answer_that_has_begun(
    run: Run, scripted: ScriptedModel, make: Make, name: str
) -> None:
    told = Told()
    events, raised = run(collect(make(name, "scripted-ok"), told.append))
    assert type(raised) is ModelInterrupted
    assert answered_by(events) == [name]
    assert scripted.calls["models"] == {name: 1}
    assert told.short == [(name, "failed", "model_interrupted")]
    assert told[0].usage.completion_tokens > 0
    assert told[0].usage.estimated


def test_what_is_refused_is_asked_of_no_other_model(run: Run, scripted: ScriptedModel, make: Make) -> None:
    _, raised = run(collect(make("scripted-400", "scripted-ok")))
    assert type(raised) is ModelRefused
    assert scripted.calls["models"] == {"scripted-400": 1}


def test_a_chain_ends_with_the_error_of_its_last_model(run: Run, scripted: ScriptedModel, make: Make) -> None:
    told = Told()
    _, raised = run(collect(make("scripted-429", "scripted-401", "scripted-503"), told.append))
    assert type(raised) is ModelUnavailable
    assert [entry for entry, _, _ in told.short] == ["scripted-429", "scripted-401", "scripted-503"]


def test_all_attempts_together_have_a_deadline(run: Run, scripted: ScriptedModel, make: Make) -> None:
    deadlines = Deadlines(first_token=0.4, attempts=0.6, gap=5, total=10)
    chain = make("scripted-hang", "scripted-hang-ms-1", "scripted-ok", deadlines=deadlines)
    started = time.monotonic()
    _, raised = run(collect(chain))
    assert type(raised) is ModelTimeout
    assert 0.6 <= time.monotonic() - started < 1.2
    assert "scripted-ok" not in scripted.calls["models"]


def test_a_slow_model_has_the_time_it_was_given(run: Run, make: Make) -> None:
    deadlines = Deadlines(first_token=2, attempts=0.2, gap=5, total=10)
    events, raised = run(collect(make("scripted-late-ms-500", deadlines=deadlines)))
    assert (raised, text_of(events)) == (None, OK_ANSWER)


def test_a_fallback_keeps_the_limits_of_the_call(run: Run, scripted: ScriptedModel, make: Make) -> None:
    asked = replace(make("scripted-429", "scripted-ok"), max_output_tokens=20)
    run(collect(asked))
    assert scripted.calls["requests"][-1]["body"]["max_tokens"] == 20


# --- rest ----------------------------------------------------------------------------------------


def test_a_model_that_failed_rests_while_another_can_answer(run: Run, scripted: ScriptedModel, make: Make) -> None:
    settings = make("scripted-500", "scripted-ok")
    run(collect(settings))
    events, _ = run(collect(settings))
    assert answered_by(events) == ["scripted-ok"]
    assert scripted.calls["models"] == {"scripted-500": 3, "scripted-ok": 2}
    _, raised = run(collect(replace(settings, fallbacks=())))
    assert type(raised) is ModelUnavailable
    assert scripted.calls["models"]["scripted-500"] == 6, "with nobody else it is asked all the same"


def test_a_model_is_left_alone_as_long_as_it_asked_for(run: Run, make: Make) -> None:
    settings = make("scripted-429-after-60", "scripted-ok")
    run(collect(settings))
    assert 58 < COOLDOWNS.left(settings) <= 60


def test_a_key_that_is_refused_rests_nobody(run: Run, make: Make) -> None:
    settings = make("scripted-401", "scripted-ok")
    run(collect(settings))
    assert COOLDOWNS.left(settings) == 0, "it works from the moment its key is set right"


def test_a_hurried_caller_says_nothing_about_a_model(run: Run, make: Make) -> None:
    hurried = Deadlines(first_token=0.3, gap=0.3, total=0.3, hurried=True)
    settings = make("scripted-late-ms-600", deadlines=hurried)
    _, raised = run(collect(settings))
    assert type(raised) is ModelTimeout
    assert COOLDOWNS.left(settings) == 0
    run(collect(replace(settings, deadlines=replace(hurried, hurried=False))))
    assert COOLDOWNS.left(settings) > 0


def test_rest_ends_by_time_or_with_an_answer() -> None:
    now = [0.0]
    resting = Cooldowns(clock=lambda: now[0])
    one, elsewhere = ModelSettings(model="m", api_base="http://a"), ModelSettings(model="m", api_base="http://b")
    resting.failed(one, Fault(error=ModelUnavailable()))
    assert (resting.left(one), resting.left(elsewhere)) == (REST, 0.0)
    now[0] = REST
    assert resting.left(one) == 0.0
    resting.failed(one, Fault(error=ModelBusy(), retry_after=86_400))
    assert resting.left(one) == LONGEST_REST
    resting.answered(one)
    assert resting.left(one) == 0.0
    for error in (ModelRefused(), ModelNotConfigured(), ModelInterrupted()):
        resting.failed(one, Fault(error=error))
    assert resting.left(one) == 0.0


# --- places --------------------------------------------------------------------------------------


def test_calls_beyond_the_places_wait_their_turn(run: Run, scripted: ScriptedModel, make: Make) -> None:
    settings = make("scripted-late-ms-100", max_parallel=2)

    async def six() -> tuple[int, list[Any]]:
        most = 0
        tasks = [asyncio.create_task(collect(settings)) for _ in range(6)]
        while not all(task.done() for task in tasks):
            most = max(most, PLACES.taken(settings))
            await asyncio.sleep(0.01)
        return most, [task.result() for task in tasks]

    most, results = run(six())
    assert most == 2
    assert [(text_of(events), error) for events, error in results] == [(OK_ANSWER, None)] * 6
    assert PLACES.taken(settings) == 0


def test_a_place_is_waited_for_until_the_first_token_is_due(run: Run, scripted: ScriptedModel, make: Make) -> None:
    slow = make("scripted-late-ms-900", max_parallel=1)
    waiting = replace(slow, deadlines=Deadlines(first_token=0.3, gap=5, total=10))

    async def two() -> Any:
        first = asyncio.create_task(collect(slow))
        await asyncio.sleep(0.1)
        second = await collect(waiting)
        return second, await first

    (events, raised), (_, none) = run(two())
    assert (events, type(raised), none) == ([], ModelBusy, None)
    assert scripted.calls["models"] == {"scripted-late-ms-900": 1}, "nothing was sent for the second"
    assert (PLACES.taken(slow), COOLDOWNS.left(slow)) == (0, 0.0)


@pytest.mark.parametrize("how", ["cancelled", "timed out", "failed"])
def test_a_place_is_free_again_however_a_call_ended(run: Run, make: Make, how: str) -> None:
    name = {"cancelled": "scripted-hang", "timed out": "scripted-hang", "failed": "scripted-401"}[how]
    deadlines = Deadlines(first_token=0.3, gap=5, total=10) if how == "timed out" else DEADLINES
    settings = make(name, max_parallel=1, deadlines=deadlines)

    async def leave() -> None:
        task = asyncio.create_task(collect(settings))
        await asyncio.sleep(0.1)
        if how == "cancelled":
            task.cancel()
        await asyncio.wait({task})

    run(leave())
    assert PLACES.taken(settings) == 0


# --- the window ----------------------------------------------------------------------------------


def test_what_is_too_long_is_not_sent(run: Run, scripted: ScriptedModel, make: Make) -> None:
    told = Told()
    long = [{"role": "user", "content": "word " * 4000}]
    events, raised = run(collect(make("scripted-ok", context_window=4096), told.append, long))
    assert (events, told) == ([], [])
    assert type(raised) is ModelRefused
    assert raised.message == TOO_LONG
    assert scripted.calls["total"] == 0


def test_a_fallback_with_room_answers_what_is_too_long_for_the_first(
    run: Run, scripted: ScriptedModel, make: Make
) -> None:
    long = [{"role": "user", "content": "word " * 4000}]
    large = make("scripted-ok", context_window=32_000)
    events, raised = run(collect(make("scripted-late", context_window=4096, max_output_tokens=99), None, long))
    assert type(raised) is ModelRefused
    events, raised = run(collect(replace(make("scripted-late", context_window=4096), fallbacks=(large,)), None, long))
    assert (raised, answered_by(events)) == (None, ["scripted-ok"])
    assert scripted.calls["models"] == {"scripted-ok": 1}


def test_output_is_asked_for_as_far_as_the_window_has_room(run: Run, scripted: ScriptedModel, make: Make) -> None:
    run(collect(make("scripted-ok", context_window=200, max_output_tokens=1000)))
    assert 150 < scripted.calls["requests"][0]["body"]["max_tokens"] < 200


# --- what a call used ----------------------------------------------------------------------------


def test_an_answer_is_counted_once_with_its_times(run: Run, make: Make) -> None:
    told = Told()
    events, _ = run(collect(make("scripted-late-ms-200"), told.append))
    (call,) = told
    assert (call.status, call.error, call.detail) == ("ok", "", "")
    assert call.usage == events[-2]
    assert call.first_token is not None
    assert 200 <= call.first_token <= call.total


def test_retries_are_one_call(run: Run, scripted: ScriptedModel, make: Make) -> None:
    told = Told()
    run(collect(make("scripted-500-times-2"), told.append))
    assert told.short == [("scripted-500-times-2", "ok", "")]
    assert scripted.calls["total"] == 3


@pytest.mark.parametrize("name", ["scripted-endless", "scripted-stall", "scripted-hang"])
def test_an_answer_that_is_left_is_counted_and_its_provider_stops_within_a_second(
    run: Run, scripted: ScriptedModel, make: Make, name: str
) -> None:
    told = Told()

    async def leave() -> float:
        task = asyncio.create_task(collect(make(name), told.append))
        for _ in range(100):
            if (await asyncio.to_thread(lambda: scripted.calls))["total"]:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)  # in the middle of a silence, but for the endless one
        left = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not (await asyncio.to_thread(lambda: scripted.calls))["disconnects"].get(name):
            assert time.monotonic() - left < 1
            await asyncio.sleep(0.02)
        return time.monotonic() - left

    assert run(leave()) < 1
    assert told.short == [(name, "cancelled", "")]
    assert told[0].usage.estimated
    assert told[0].usage.prompt_tokens > 0
    assert (told[0].usage.completion_tokens > 0) is (name != "scripted-hang")


def test_what_went_wrong_is_told_without_the_words_of_the_provider(run: Run, make: Make) -> None:
    told = Told()
    run(collect(make("scripted-ok", api_key="wrong-key"), told.append))
    assert told[0].detail == "401 AuthenticationError"
