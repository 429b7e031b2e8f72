from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import aclosing
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
from knowledge.llm import Deadlines, Delta, Finish, ModelSettings, Usage, complete, stream
from tests.support.scripted_model import OK_ANSWER, ScriptedModel

ROUTES = ("hosted_vllm", "openai")
QUESTION = [{"role": "user", "content": "What is the answer?"}]
Run = Callable[[Any], Any]


def settings_for(url: str, name: str, route: str = "hosted_vllm", **changes: Any) -> ModelSettings:
    deadlines = changes.pop("deadlines", Deadlines(first_token=30, gap=20, total=60))
    return ModelSettings(model=f"{route}/{name}", api_base=url, deadlines=deadlines, **changes)


async def collect(settings: ModelSettings, **kwargs: Any) -> tuple[list[Any], KnowledgeError | None]:
    """All events, and the error that ended them if one did."""
    events: list[Any] = []
    try:
        async with aclosing(stream(settings, QUESTION, **kwargs)) as source:
            async for event in source:
                events.append(event)
    except KnowledgeError as err:
        return events, err
    return events, None


def text_of(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


@pytest.mark.parametrize("route", ROUTES)
def test_answer_streams_as_deltas_then_usage_then_finish(run: Run, scripted: ScriptedModel, route: str) -> None:
    events, error = run(collect(settings_for(scripted.url, "scripted-ok", route)))
    assert error is None
    assert text_of(events) == OK_ANSWER
    assert events[-2:] == [Usage(prompt_tokens=4, completion_tokens=11, estimated=False), Finish("stop")]
    assert (events[0].model, events[0].entry) == (f"{route}/scripted-ok", "")
    assert all(isinstance(event, Delta) and event.text for event in events[1:-2])
    assert len(events) == 14


@pytest.mark.parametrize("route", ROUTES)
def test_request_carries_the_settings(run: Run, scripted: ScriptedModel, route: str) -> None:
    settings = settings_for(
        scripted.url, "scripted-ok", route, max_output_tokens=77, temperature=0.25, extra={"seed": 5}
    )
    run(collect(settings, extra_body={"documents": ["a"]}))
    (request,) = scripted.calls["requests"]
    body = request["body"]
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (77, 0.25, 5)
    assert body["documents"] == ["a"]
    assert body["messages"] == QUESTION
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_absent_temperature_is_not_sent(run: Run, scripted: ScriptedModel) -> None:
    run(collect(settings_for(scripted.url, "scripted-ok", temperature=None)))
    assert "temperature" not in scripted.calls["requests"][0]["body"]


@pytest.mark.parametrize("route", ROUTES)
def test_usage_is_estimated_when_the_server_sends_none(run: Run, scripted: ScriptedModel, route: str) -> None:
    events, _ = run(collect(settings_for(scripted.url, "scripted-no-usage", route)))
    usage = events[-2]
    assert usage.estimated
    assert usage.completion_tokens == 16
    assert usage.prompt_tokens > 0


def test_finish_reason_length_is_passed_on(run: Run, scripted: ScriptedModel) -> None:
    events, _ = run(collect(settings_for(scripted.url, "scripted-length")))
    assert events[-1] == Finish("length")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("name", "error", "requests"),
    [
        ("scripted-400", ModelRefused, 1),
        ("scripted-401", ModelNotConfigured, 1),
        ("scripted-403", ModelNotConfigured, 1),
        ("scripted-404", ModelNotConfigured, 1),
        ("scripted-unknown", ModelNotConfigured, 1),
        ("scripted-429", ModelBusy, 3),
        ("scripted-500", ModelUnavailable, 3),
        ("scripted-502", ModelUnavailable, 3),
        ("scripted-503", ModelUnavailable, 3),
        ("scripted-503-html", ModelUnavailable, 3),
        ("scripted-reset-first", ModelUnavailable, 3),
    ],
)
def test_failure_before_the_first_token_is_named_and_only_transient_ones_are_retried(
    run: Run, scripted: ScriptedModel, route: str, name: str, error: type[KnowledgeError], requests: int
) -> None:
    events, raised = run(collect(settings_for(scripted.url, name, route)))
    assert type(raised) is error
    assert events == []
    assert scripted.calls["models"][name] == requests


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "name",
    ["scripted-reset", "scripted-no-finish", "scripted-garbage", "scripted-garbage-utf8", "scripted-error-event"],
)
def test_answer_that_breaks_off_keeps_its_text_and_is_not_repeated(
    run: Run, scripted: ScriptedModel, route: str, name: str
) -> None:
    events, raised = run(collect(settings_for(scripted.url, name, route)))
    assert type(raised) is ModelInterrupted
    assert text_of(events).startswith("The scripted")
    assert not any(isinstance(event, Finish) for event in events)
    assert scripted.calls["models"][name] == 1


def test_wrong_key_is_not_configured_and_never_shown(run: Run, scripted: ScriptedModel) -> None:
    settings = settings_for(scripted.url, "scripted-ok", api_key="wrong-key")
    _, raised = run(collect(settings))
    assert type(raised) is ModelNotConfigured
    assert "wrong-key" not in str(raised)
    assert "wrong-key" not in repr(settings)


def test_nothing_listening_is_unavailable(run: Run) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _, raised = run(collect(settings_for(f"http://127.0.0.1:{port}/v1", "scripted-ok")))
    assert type(raised) is ModelUnavailable


@pytest.mark.parametrize("route", ROUTES)
def test_page_instead_of_a_stream_is_unavailable(run: Run, scripted: ScriptedModel, route: str) -> None:
    _, raised = run(collect(settings_for(scripted.url, "scripted-200-html", route)))
    assert type(raised) is ModelUnavailable


def test_stream_without_any_token_is_unavailable(run: Run, scripted: ScriptedModel) -> None:
    scripted.script([], finish=None, usage=False)
    _, raised = run(collect(settings_for(scripted.url, "scripted-custom")))
    assert type(raised) is ModelUnavailable


def test_unknown_provider_is_not_configured(run: Run) -> None:
    _, raised = run(collect(ModelSettings(model="no-such-provider-at-all")))
    assert type(raised) in (ModelNotConfigured, ModelRefused)


@pytest.mark.parametrize("name", ["scripted-429-times-1", "scripted-500-times-2"])
def test_transient_failure_is_survived(run: Run, scripted: ScriptedModel, name: str) -> None:
    events, raised = run(collect(settings_for(scripted.url, name)))
    assert raised is None
    assert text_of(events) == OK_ANSWER
    assert scripted.calls["models"][name] == int(name[-1]) + 1


@pytest.mark.parametrize("route", ROUTES)
def test_retry_after_is_waited_for(run: Run, scripted: ScriptedModel, route: str) -> None:
    started = time.monotonic()
    _, raised = run(collect(settings_for(scripted.url, "scripted-429-times-1-after-1", route)))
    assert raised is None
    assert 1.0 <= time.monotonic() - started < 3.0


def test_retry_after_beyond_the_deadline_fails_at_once(run: Run, scripted: ScriptedModel) -> None:
    started = time.monotonic()
    _, raised = run(collect(settings_for(scripted.url, "scripted-429-after-60")))
    assert type(raised) is ModelBusy
    assert time.monotonic() - started < 1.0
    assert scripted.calls["models"] == {"scripted-429-after-60": 1}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("name", "deadlines", "seconds", "has_text"),
    [
        ("scripted-hang", Deadlines(first_token=0.3, gap=5, total=5), 0.3, False),
        ("scripted-late-ms-2000", Deadlines(first_token=0.3, gap=5, total=5), 0.3, False),
        ("scripted-stall", Deadlines(first_token=5, gap=0.3, total=5), 0.3, True),
        ("scripted-endless-ms-50", Deadlines(first_token=5, gap=5, total=0.5), 0.5, True),
    ],
)
def test_deadline_ends_the_call_and_the_provider_sees_it(
    run: Run, scripted: ScriptedModel, route: str, name: str, deadlines: Deadlines, seconds: float, has_text: bool
) -> None:
    started = time.monotonic()
    events, raised = run(collect(settings_for(scripted.url, name, route, deadlines=deadlines)))
    assert type(raised) is ModelTimeout
    assert seconds <= time.monotonic() - started < seconds + 1.0
    assert bool(text_of(events)) is has_text
    assert run(until_disconnected(scripted, name))


async def until_disconnected(scripted: ScriptedModel, name: str) -> bool:
    for _ in range(50):
        if scripted.calls["disconnects"].get(name):
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize("route", ROUTES)
def test_closing_early_is_seen_by_the_provider(run: Run, scripted: ScriptedModel, route: str) -> None:
    async def leave_after_three() -> int:
        count = 0
        async with aclosing(stream(settings_for(scripted.url, "scripted-endless", route), QUESTION)) as source:
            async for _ in source:
                count += 1
                if count == 3:
                    break
        return count

    assert run(leave_after_three()) == 3
    assert run(until_disconnected(scripted, "scripted-endless"))
    sent = scripted.calls["tokens_sent"]["scripted-endless"]
    time.sleep(0.1)
    assert scripted.calls["tokens_sent"]["scripted-endless"] == sent


@pytest.mark.parametrize("route", ROUTES)
def test_cancelling_the_task_is_seen_by_the_provider(run: Run, scripted: ScriptedModel, route: str) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(collect(settings_for(scripted.url, "scripted-endless", route)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancel())
    assert run(until_disconnected(scripted, "scripted-endless"))


@pytest.mark.parametrize("route", ROUTES)
def test_text_is_passed_on_exactly(run: Run, scripted: ScriptedModel, route: str) -> None:
    chunks = ["Ünïcode ", "\U0001f600", " data: [DONE] ", '{"error": 1}', "\n\n", "e\u0301", "a\u2028b\x85c"]
    scripted.script(chunks)
    events, raised = run(collect(settings_for(scripted.url, "scripted-custom", route)))
    assert raised is None
    assert [event.text for event in events[1:-2]] == chunks


def test_complete_returns_the_whole_answer(run: Run, scripted: ScriptedModel) -> None:
    completion = run(complete(settings_for(scripted.url, "scripted-echo"), QUESTION))
    assert json.loads(completion.text) == QUESTION
    assert completion.finish == "stop"
    assert completion.usage.estimated is False


def test_many_streams_at_once_do_not_wait_for_each_other(run: Run, scripted: ScriptedModel) -> None:
    """Eleven tokens of 30 ms are 0.33 s; sixteen answers one after the other would take over 5 s."""

    async def sixteen() -> list[Any]:
        settings = settings_for(scripted.url, "scripted-slow-ms-30")
        return list(await asyncio.gather(*(collect(settings) for _ in range(16))))

    started = time.monotonic()
    results = run(sixteen())
    assert time.monotonic() - started < 2.5
    assert {text_of(events) for events, _ in results} == {OK_ANSWER}
