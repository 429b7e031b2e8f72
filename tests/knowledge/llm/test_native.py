"""Citations of providers, over the wire, through LiteLLM."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from knowledge.errors import KnowledgeError, ModelInterrupted, ModelRefused, ModelUnavailable
from knowledge.llm import (
    Answering,
    Deadlines,
    Delta,
    Document,
    Finish,
    Handover,
    ModelSettings,
    NativeCitation,
    Usage,
    stream,
)
from knowledge.llm.native import dialect, forget_refusals
from tests.support.citing_model import (
    CitingModel,
    anthropic,
    anthropic_block,
    char_location,
    cohere,
    cohere_citation,
)

Run = Callable[[Any], Any]
MESSAGES = [
    {"role": "system", "content": "Rules."},
    {"role": "user", "content": "Sources as text. Question: how many?"},
]
DOCUMENTS = (
    Document(label="S1", title="Handbook", text="Intro. Members borrow twelve books.", context="page 3"),
    Document(label="S2", title="Fees", text="Late books cost 0.50 euro a day."),
)
HANDOVER = Handover(documents=DOCUMENTS, content="Question: how many?")


@pytest.fixture
def server() -> Iterator[CitingModel]:
    forget_refusals()
    with CitingModel() as model:
        yield model
    forget_refusals()


def settings_for(server: CitingModel, provider: str, **changes: Any) -> ModelSettings:
    path = "/v2/chat" if provider.startswith("cohere") else ""
    changes = {"handover": HANDOVER, "native_citations": True} | changes
    return ModelSettings(
        model=f"{provider}/some-model", api_base=server.url + path, api_key="k",
        deadlines=Deadlines(first_token=30, gap=20, total=60), **changes,
    )  # fmt: skip


def answer(run: Run, settings: ModelSettings) -> tuple[list[Any], KnowledgeError | None]:
    async def collect() -> tuple[list[Any], KnowledgeError | None]:
        events: list[Any] = []
        try:
            async with aclosing(stream(settings, MESSAGES)) as source:
                async for event in source:
                    events.append(event)
        except KnowledgeError as err:
            return events, err
        return events, None

    return run(collect())


def text_of(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def cited(events: list[Any]) -> list[tuple[str, NativeCitation]]:
    """Each citation with the text that stands before it."""
    return [
        (text_of(events[:at]), event) for at, event in enumerate(events) if isinstance(event, NativeCitation)
    ]  # fmt: skip


def test_anthropic_is_handed_one_document_for_each_passage(run: Run, server: CitingModel) -> None:
    server.events = anthropic(anthropic_block("Twelve."))
    _, error = answer(run, settings_for(server, "anthropic"))
    assert error is None
    (body,) = server.requests
    (message,) = body["messages"]
    assert message["content"] == [
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": DOCUMENTS[0].text},
            "title": "[S1] Handbook",
            "citations": {"enabled": True},
            "context": "page 3",
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": DOCUMENTS[1].text},
            "title": "[S2] Fees",
            "citations": {"enabled": True},
        },
        {"type": "text", "text": "Question: how many?"},
    ]
    assert body["stream"] is True
    assert "Rules." in str(body["system"])


@pytest.mark.parametrize("first", [False, True])
def test_anthropic_citations_are_told_at_the_end_of_their_block(run: Run, server: CitingModel, first: bool) -> None:
    quote = "Members borrow twelve books."
    server.events = anthropic(
        anthropic_block("As the handbook says, "),
        anthropic_block("members borrow ", "twelve books", citations=[char_location(0, quote, 7)], first=first),
        anthropic_block(". More."),
    )
    events, error = answer(run, settings_for(server, "anthropic"))
    assert error is None
    assert text_of(events) == "As the handbook says, members borrow twelve books. More."
    assert cited(events) == [
        ("As the handbook says, members borrow twelve books", NativeCitation(label="S1", quote=quote, start=7, end=35))
    ]
    assert events[-2:] == [Usage(prompt_tokens=42, completion_tokens=9, estimated=False), Finish("stop")]


def test_thinking_is_no_text_and_keeps_citations_in_their_place(run: Run, server: CitingModel) -> None:
    server.events = anthropic(
        anthropic_block(thinking="The handbook, [S2]?"),
        anthropic_block("Half a euro", citations=[char_location(1, "Late books cost 0.50 euro a day.")]),
        finish="max_tokens",
    )
    events, error = answer(run, settings_for(server, "anthropic"))
    assert error is None
    assert text_of(events) == "Half a euro"
    assert [(before, each.label) for before, each in cited(events)] == [("Half a euro", "S2")]
    assert events[-1] == Finish("length")


def test_citations_that_name_no_document_of_ours_say_so(run: Run, server: CitingModel) -> None:
    web = {"type": "web_search_result_location", "cited_text": "x", "url": "http://evil.test", "title": "t"}
    blocks = {"type": "content_block_location", "cited_text": "y", "document_index": 1, "start_block_index": 0}
    odd = [char_location(7, "a"), char_location(-1, "b"), web, {**blocks, "document_index": True}, blocks]
    server.events = anthropic(anthropic_block("Text", citations=odd))
    events, error = answer(run, settings_for(server, "anthropic"))
    assert error is None
    assert [(each.label, each.quote) for _, each in cited(events)] == [
        ("", "a"), ("", "b"), ("", "x"), ("", "y"), ("S2", "y")
    ]  # fmt: skip
    assert cited(events)[-1][1].start is None


def test_citation_of_a_block_without_words_is_not_given_to_the_block_before(run: Run, server: CitingModel) -> None:
    server.events = anthropic(
        anthropic_block("One. "), anthropic_block(" ", citations=[char_location(0, "Intro.")]), anthropic_block("Two.")
    )
    events, error = answer(run, settings_for(server, "anthropic"))
    assert error is None
    assert text_of(events) == "One.  Two."
    assert cited(events) == []


def test_answer_that_is_cut_keeps_the_citations_of_the_open_block(run: Run, server: CitingModel) -> None:
    block = anthropic_block("Twelve books", citations=[char_location(0, "Intro.")])[:-1]
    server.events, server.cut = anthropic(block, finish=None), True
    events, error = answer(run, settings_for(server, "anthropic"))
    assert isinstance(error, ModelInterrupted)
    assert [(before, each.label) for before, each in cited(events)] == [("Twelve books", "S1")]


def test_error_inside_a_stream_is_named(run: Run, server: CitingModel) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    server.events = [*anthropic(finish=None), overloaded]
    events, error = answer(run, settings_for(server, "anthropic"))
    assert (events, type(error)) == ([], ModelUnavailable)
    server.events = [*anthropic(anthropic_block("Twelve"), finish=None), overloaded]
    events, error = answer(run, settings_for(server, "anthropic"))
    assert (text_of(events), type(error)) == ("Twelve", ModelInterrupted)


def test_off_sends_the_prompt_as_it_was(run: Run, server: CitingModel) -> None:
    server.events = anthropic(anthropic_block("Twelve."))
    events, error = answer(run, settings_for(server, "anthropic", handover=None))
    assert (text_of(events), error) == ("Twelve.", None)
    (content,) = server.requests[0]["messages"][0]["content"]
    assert content["text"] == MESSAGES[1]["content"]


def refuses_documents(body: dict[str, Any]) -> int | None:
    blocks = body["messages"][-1]["content"]
    has_blocks = isinstance(blocks, list) and any(block["type"] == "document" for block in blocks)
    return 400 if has_blocks or "documents" in body else None


@pytest.mark.parametrize("provider", ["anthropic", "cohere_chat"])
def test_server_that_refuses_documents_is_asked_without_and_remembered(
    run: Run, server: CitingModel, provider: str
) -> None:
    server.refuse = refuses_documents
    server.events = anthropic(anthropic_block("Twelve.")) if provider == "anthropic" else cohere("Twelve.")
    settings = settings_for(server, provider)
    assert [text_of(answer(run, settings)[0]) for _ in range(2)] == ["Twelve.", "Twelve."]
    assert [refuses_documents(body) for body in server.requests] == [400, None, None]
    assert "Sources as text." in str(server.requests[-1]["messages"])
    forget_refusals()
    answer(run, settings)
    assert refuses_documents(server.requests[3]) == 400


def test_refusal_is_forgotten_after_an_hour(run: Run, server: CitingModel, monkeypatch: pytest.MonkeyPatch) -> None:
    server.refuse, server.events = refuses_documents, anthropic(anthropic_block("Twelve."))
    settings = settings_for(server, "anthropic")
    answer(run, settings)
    monkeypatch.setattr("knowledge.llm.native.REFUSED_SECONDS", 0.0)
    answer(run, settings)
    assert [refuses_documents(body) for body in server.requests] == [400, None, 400, None]


def test_refusal_of_one_address_says_nothing_of_another(run: Run, server: CitingModel) -> None:
    server.refuse, server.events = refuses_documents, anthropic(anthropic_block("Twelve."))
    answer(run, settings_for(server, "anthropic"))
    with CitingModel() as other:
        other.events = server.events
        answer(run, settings_for(other, "anthropic"))
        assert refuses_documents(other.requests[0]) == 400


@pytest.mark.parametrize("status", [401, 404])
def test_other_statuses_are_no_refusal_of_documents(run: Run, server: CitingModel, status: int) -> None:
    server.refuse = lambda _: status
    _, error = answer(run, settings_for(server, "anthropic"))
    assert error is not None
    assert len(server.requests) == 1


@pytest.mark.parametrize("provider", ["anthropic", "cohere"])
def test_leaving_early_closes_the_connection(run: Run, server: CitingModel, provider: str) -> None:
    def endless(_: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from (
            anthropic(anthropic_block("x" * 40)[:-1], finish=None)
            if provider == "anthropic"
            else cohere("x" * 40, finish=None)
        )
        while True:
            yield {"type": "ping"}
            time.sleep(0.01)

    async def leave() -> bool:
        async with aclosing(stream(settings_for(server, provider), MESSAGES)) as source:
            assert isinstance(await anext(source), Answering)
            assert isinstance(await anext(source), Delta)
        return await asyncio.to_thread(server.left.wait, 5)

    server.events = endless
    assert run(leave())


def test_refusal_for_another_reason_is_the_error_and_is_not_remembered(run: Run, server: CitingModel) -> None:
    server.refuse = lambda _: 400
    settings = settings_for(server, "anthropic")
    events, error = answer(run, settings)
    assert (events, type(error)) == ([], ModelRefused)
    assert len(server.requests) == 2
    server.refuse = lambda _: None
    server.events = anthropic(anthropic_block("Twelve."))
    answer(run, settings)
    assert refuses_documents(server.requests[2]) == 400


def test_cohere_is_handed_documents_beside_the_messages(run: Run, server: CitingModel) -> None:
    server.events = cohere("Twelve.")
    events, error = answer(run, settings_for(server, "cohere_chat"))
    assert error is None
    (body,) = server.requests
    assert body["documents"] == [
        {"id": "S1", "data": {"title": "[S1] Handbook", "text": DOCUMENTS[0].text, "context": "page 3"}},
        {"id": "S2", "data": {"title": "[S2] Fees", "text": DOCUMENTS[1].text}},
    ]
    assert body["citation_options"] == {"mode": "FAST"}
    assert body["messages"] == [MESSAGES[0], {"role": "user", "content": "Question: how many?"}]
    assert events[-2:] == [Usage(prompt_tokens=30, completion_tokens=7, estimated=False), Finish("stop")]


def test_cohere_citation_comes_right_after_its_words(run: Run, server: CitingModel) -> None:
    words = "Members borrow twelve books"
    server.events = cohere(words, ". Late", " ones", cohere_citation(15, "twelve books", "S1", "S2"), " cost money.")
    events, error = answer(run, settings_for(server, "cohere"))
    assert error is None
    assert text_of(events) == f"{words}. Late ones cost money."
    assert cited(events) == [(words, NativeCitation(label=label, quote=None)) for label in ("S1", "S2")]


def test_late_cohere_citation_says_what_came_since(run: Run, server: CitingModel) -> None:
    rest = " and many more things that take a while to say. Yes."
    server.events = cohere("Twelve books", rest, cohere_citation(0, "Twelve books", "S1"))
    events, _ = answer(run, settings_for(server, "cohere"))
    assert cited(events) == [
        (f"Twelve books{rest}"[:-32], NativeCitation(label="S1", quote=None, since=rest[:-32]))
    ]  # fmt: skip


def test_cohere_span_is_looked_for_where_its_offsets_do_not_fit(run: Run, server: CitingModel) -> None:
    server.events = cohere(
        "🦊 Twelve books", cohere_citation(3, "Twelve books", "S1"), cohere_citation(0, "never said", "S1"),
        cohere_citation(0, "T", "elsewhere", kind="PLAN"), cohere_citation(2, "Twelve", "elsewhere"),
        {"type": "citation-start", "index": 3, "delta": {"message": {"citations": None}}},
    )  # fmt: skip
    events, error = answer(run, settings_for(server, "cohere"))
    assert error is None
    assert text_of(events) == "🦊 Twelve books"
    assert [(each.label, each.fault) for _, each in cited(events)] == [("S1", ""), ("", "span"), ("", ""), ("", "span")]


def test_cohere_s_hidden_reasoning_moves_no_offset(run: Run, server: CitingModel) -> None:
    thinking = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "[S2] hm"}}}}
    server.events = cohere(thinking, "Twelve", thinking, " books", cohere_citation(7, "books", "S1"))
    events, error = answer(run, settings_for(server, "cohere"))
    assert (text_of(events), error) == ("Twelve books", None)
    assert [(before, each.label) for before, each in cited(events)] == [("Twelve books", "S1")]


def test_cohere_answers_without_documents_are_read_and_not_delayed(run: Run, server: CitingModel) -> None:
    server.events = cohere("Twelve", " books")
    events, error = answer(run, settings_for(server, "cohere_chat", handover=None))
    assert error is None
    assert events[1:3] == [Delta("Twelve"), Delta(" books")]
    assert "documents" not in server.requests[0]


@pytest.mark.parametrize(("finish", "expected"), [("ERROR", ModelInterrupted), (None, ModelInterrupted)])
def test_cohere_answer_that_breaks_gives_what_had_come(
    run: Run, server: CitingModel, finish: str | None, expected: type[KnowledgeError]
) -> None:
    server.events, server.cut = cohere("Twelve books", finish=finish), finish is None
    events, error = answer(run, settings_for(server, "cohere"))
    assert (text_of(events), type(error)) == ("Twelve books", expected)


def test_line_separators_inside_an_event_do_not_cut_it(run: Run, server: CitingModel) -> None:
    server.events = cohere("Twelve\u2028books\u0085now")
    events, error = answer(run, settings_for(server, "cohere"))
    assert (text_of(events), error) == ("Twelve\u2028books\u0085now", None)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("anthropic/claude-sonnet-4-5", "anthropic"), ("cohere_chat/command-a", "cohere"), ("cohere/v1/command", None),
        ("openai/gpt-4o", None), ("bedrock/anthropic.claude", None), ("extractive/default", None), ("", None),
    ],
)  # fmt: skip
def test_only_two_dialects_are_spoken(model: str, expected: str | None) -> None:
    assert dialect(model) == expected
