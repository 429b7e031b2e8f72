from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from chatapp.answering.events import (
    AnomalyCounted,
    Answer,
    AnswerEvent,
    CitationUsed,
    Delta,
    Partial,
    SentenceChecked,
)
from chatapp.answering.extractive import GREETING, ExtractiveModel
from chatapp.answering.generate import answer, no_answer_text
from chatapp.answering.prompt import PROMPT_VERSION
from chatapp.answering.sentinels import sentinel, strip_sentinels
from knowledge.errors import ModelInterrupted
from knowledge.llm import Delta as ModelDelta
from knowledge.llm import Finish, Message, ModelSettings, StreamEvent, Usage
from knowledge.types import Passage

MODEL = ModelSettings(model="scripted/one", context_window=100_000)
Make = Callable[..., Passage]


class Scripted:
    """A model that says what it is told to, and remembers whether it was called and closed."""

    def __init__(self, *pieces: str, error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error
        self.messages: Sequence[Message] = ()
        self.closed = False

    async def __call__(self, settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        self.messages = messages
        try:
            for piece in self.pieces:
                yield ModelDelta(piece)
            if self.error is not None:
                raise self.error
            yield Usage(prompt_tokens=7, completion_tokens=3, estimated=False)
            yield Finish("stop")
        finally:
            self.closed = True


def run(model: Callable[..., Any], passages: Sequence[Passage], **options: Any) -> list[AnswerEvent]:
    async def collect() -> list[AnswerEvent]:
        events = answer(question="Which books?", passages=passages, model=MODEL, stream_fn=model, **options)
        return [event async for event in events]

    return asyncio.run(collect())


def shown(events: Sequence[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


@pytest.fixture
def passages(make_passage: Make) -> list[Passage]:
    return [
        make_passage("Intro. Members borrow twelve books. More text.", start=100),
        make_passage("Late books cost 0.50 euro a day. The hall is closed.", start=900, title="Fees"),
    ]


def test_answer_carries_text_citations_and_verdicts(passages: list[Passage]) -> None:
    model = Scripted("Late books cost 0.50 euro a day [S", "2]. Members borrow", " 13 books [S1][S2].")
    events = run(model, passages)
    done = events[-1]
    assert isinstance(done, Answer)
    assert done.text == shown(events)
    assert strip_sentinels(done.text) == "Late books cost 0.50 euro a day[1]. Members borrow 13 books[2][1]."
    assert [(each.verdict, each.citations) for each in done.sentences] == [("supported", (1,)), ("unsupported", (2, 1))]
    assert done.sentences[1].reasons == ("number 13 not in the source",)
    assert done.usage == Usage(prompt_tokens=7, completion_tokens=3, estimated=False)
    assert (done.finish, done.prompt_version, done.no_answer) == ("stop", PROMPT_VERSION, False)
    assert done.raw_output == "".join(model.pieces)
    assert done.messages == tuple(model.messages)
    assert model.closed


def test_every_citation_quotes_the_document_exactly(passages: list[Passage]) -> None:
    done = run(Scripted("Late books cost 0.50 euro a day [S2]. Members borrow 13 books [S1][S2]."), passages)[-1]
    assert isinstance(done, Answer)
    document = " " * 100 + passages[0].text
    document += " " * (900 - len(document)) + passages[1].text
    assert [(each.number, each.label, each.sentence) for each in done.citations] == [
        (1, "S2", 0),
        (2, "S1", 1),
        (1, "S2", 1),
    ]
    for each in done.citations:
        assert document[each.start : each.end] == each.quote != ""
    assert done.citations[0].quote == "Late books cost 0.50 euro a day."
    assert done.citations[1].quote == "Members borrow twelve books."


def test_sentence_ranges_lie_in_the_canonical_text(passages: list[Passage]) -> None:
    done = run(Scripted("One [S1]. Two [S2].\n\n- Three [S1]"), passages)[-1]
    assert isinstance(done, Answer)
    assert [done.text[each.start : each.end] for each in done.sentences] == [
        f"One{sentinel(1)}.",
        f"Two{sentinel(2)}.",
        f"- Three{sentinel(1)}",
    ]


def test_passage_is_announced_once_before_its_first_mark(passages: list[Passage]) -> None:
    events = run(Scripted("Members borrow twelve books [S1]. Again [S1]."), passages)
    used = [event for event in events if isinstance(event, CitationUsed)]
    assert [(each.number, each.passage) for each in used] == [(1, passages[0])]
    assert passages[0].text[used[0].evidence.start : used[0].evidence.end] == "Members borrow twelve books."
    before = events[: events.index(used[0])]
    assert sentinel(1) not in shown(before)
    assert shown(before) == "Members borrow twelve books"


def test_first_visible_character_leaves_at_once(passages: list[Passage]) -> None:
    async def first() -> AnswerEvent:
        events = answer(question="q", passages=passages, model=MODEL, stream_fn=Scripted("T", "he", " end."))
        event = await anext(events)
        await events.aclose()
        return event

    assert asyncio.run(first()) == Delta("T")


def test_verdict_comes_while_the_answer_goes_on(passages: list[Passage]) -> None:
    events = run(Scripted("One [S1].", " Two", " [S2]."), passages)
    kinds = [type(event) for event in events]
    assert kinds.index(SentenceChecked) < len(kinds) - 1 - kinds[::-1].index(Delta)


def test_invented_sources_are_not_shown_but_counted(passages: list[Passage]) -> None:
    events = run(Scripted("One [S7]. Two [S8]."), passages)
    assert shown(events) == "One. Two."
    assert [event.count for event in events if isinstance(event, AnomalyCounted)] == [1, 2]
    done = events[-1]
    assert isinstance(done, Answer)
    assert [each.verdict for each in done.sentences] == ["uncited", "uncited"]
    assert [anomaly.raw for anomaly in done.anomalies] == ["[S7]", "[S8]"]


def test_refusal_of_the_model_is_no_answer(passages: list[Passage]) -> None:
    done = run(Scripted("NO_ANS", "WER\nNothing on parking."), passages)[-1]
    assert isinstance(done, Answer)
    assert (done.no_answer, done.text) == (True, "Nothing on parking.")
    assert [each.verdict for each in done.sentences] == ["exempt"]


def test_bare_refusal_gets_a_sentence(passages: list[Passage]) -> None:
    events = run(Scripted("NO_ANSWER"), passages)
    done = events[-1]
    assert isinstance(done, Answer)
    assert done.text == shown(events) == "The sources that were found do not contain the answer."


def test_without_passages_the_model_is_not_called() -> None:
    model = Scripted("never")
    events = run(model, [], searched=("Handbook", "Rules"))
    done = events[-1]
    assert isinstance(done, Answer)
    assert model.messages == ()
    assert (done.no_answer, done.finish, done.citations) == (True, "no_passages", ())
    assert done.text == shown(events) == no_answer_text(question="Which books?", searched=("Handbook", "Rules"))
    assert "Handbook, Rules" in done.text
    assert {each.verdict for each in done.sentences} == {"exempt"}


def test_small_talk_reaches_the_model_without_sources_and_without_a_refusal() -> None:
    async def collect(model: Scripted | Callable[..., Any]) -> Answer:
        events = [event async for event in answer(question="Thanks!", passages=[], model=MODEL, stream_fn=model)]
        assert isinstance(events[-1], Answer)
        return events[-1]

    model = Scripted("You're welcome. ", "The hall opens at nine.")
    done = asyncio.run(collect(model))
    assert not done.no_answer
    assert "no sources were searched" in model.messages[-1]["content"]
    assert "SOURCE-" not in model.messages[-1]["content"]
    assert [each.verdict for each in done.sentences] == ["exempt", "uncited"], "a claim stays a claim"

    async def extractive(settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        for piece in ExtractiveModel().stream(messages):
            yield ModelDelta(piece)

    quoted = asyncio.run(collect(extractive))
    assert quoted.text == GREETING
    assert {each.verdict for each in quoted.sentences} == {"exempt"}


def test_failure_keeps_what_came_and_is_raised(passages: list[Passage]) -> None:
    model = Scripted("One [S1]. Two [S", error=ModelInterrupted())
    events: list[AnswerEvent] = []

    async def collect() -> None:
        async for event in answer(question="q", passages=passages, model=MODEL, stream_fn=model):
            events.append(event)

    with pytest.raises(ModelInterrupted):
        asyncio.run(collect())
    partial = events[-1]
    assert isinstance(partial, Partial)
    assert partial.answer.text == shown(events) == f"One{sentinel(1)}. Two"
    assert partial.answer.finish == "interrupted"
    assert len(partial.answer.citations) == 1
    assert partial.answer.usage is not None
    assert partial.answer.usage.estimated
    assert model.closed


def test_stop_ends_the_answer_and_closes_the_stream(passages: list[Passage]) -> None:
    asked = iter([False, False, True])
    model = Scripted("One [S1]. ", "Two. ", "Three.", "Four.")
    done = run(model, passages, should_stop=lambda: next(asked))[-1]
    assert isinstance(done, Answer)
    assert (strip_sentinels(done.text), done.finish) == ("One[1]. Two.", "stopped")
    assert model.closed


def test_leaving_early_closes_the_stream(passages: list[Passage]) -> None:
    model = Scripted("One. ", "Two. ")

    async def leave() -> None:
        events = answer(question="q", passages=passages, model=MODEL, stream_fn=model)
        await anext(events)
        await events.aclose()

    asyncio.run(leave())
    assert model.closed


@pytest.mark.parametrize("unit", ["word ", "好", "[S1-2] x ", "```", "Sources:\n- [S1] x\n"])
def test_answer_is_cut_at_64_kib_with_a_notice(passages: list[Passage], unit: str) -> None:
    model = Scripted(*[unit * 500] * 200)
    events = run(model, passages)
    done = events[-1]
    assert isinstance(done, Answer)
    assert done.finish == "answer_limit"
    assert len(done.text.encode()) <= 64 * 1024
    assert done.text == shown(events)
    assert "64 KiB" in done.text[done.sentences[-1].start : done.sentences[-1].end]
    assert model.closed


def test_citation_mode_off_still_validates_labels_but_checks_nothing(passages: list[Passage]) -> None:
    done = run(Scripted("Members borrow 13 books [S1][S9]."), passages, citation_mode="off")[-1]
    assert isinstance(done, Answer)
    assert [each.verdict for each in done.sentences] == ["unchecked"]
    assert [each.label for each in done.citations] == ["S1"]


def test_unknown_citation_mode_is_refused(passages: list[Passage]) -> None:
    with pytest.raises(ValueError, match="'strict' is not one of off, mark, require"):
        run(Scripted("x"), passages, citation_mode="strict")


def test_extractive_model_is_supported_by_its_sources(passages: list[Passage]) -> None:
    async def stream(settings: ModelSettings, messages: Sequence[Any]) -> AsyncIterator[StreamEvent]:
        for piece in ExtractiveModel().stream(messages):
            yield ModelDelta(piece)
        yield Finish("stop")

    done = run(stream, passages)[-1]
    assert isinstance(done, Answer)
    assert {each.verdict for each in done.sentences} == {"exempt", "supported"}
    assert all(each.verbatim for each in done.citations)
    assert done.anomalies == ()


def test_names_of_knowledge_bases_are_shown_as_they_are_and_become_no_link() -> None:
    name = "[Our policy](https://evil.example) <b> **now** www.evil.example me@evil.example snake_case_2024 _x_"
    text = no_answer_text(question="a*b?", searched=("`Rules`", name))
    shown = r"\[Our policy\](https\://evil.example) \<b\> \*\*now\*\* www\.evil.example me\@evil.example snake_case_2024 \_x\_"
    assert text.endswith(rf"Searched: \`Rules\`, {shown}.")
    assert r"“a\*b?”" in text
