"""Sentences that are looked at more closely while the answer goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from chatapp.answering import checking, prose
from chatapp.answering.events import Answer, AnswerEvent, Delta, Partial, SentenceChecked
from chatapp.answering.generate import answer
from chatapp.answering.verification import Claim, Judgement, SourceEvidence
from knowledge.errors import ModelInterrupted
from knowledge.llm import Delta as ModelDelta
from knowledge.llm import Finish, Message, ModelSettings, StreamEvent
from knowledge.types import Passage

MODEL = ModelSettings(model="scripted/one", context_window=100_000)
PARAPHRASE = "Up to a dozen volumes may be taken home [S1]. "
EXACT = "The hall is closed [S1]. "


class Judge:
    """Says that everything is held by the last six letters of the source, after a while; remembers what it was asked."""

    def __init__(self, *, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.asked: list[list[Claim]] = []
        self.cancelled = False

    async def __call__(self, claims: Sequence[Claim]) -> list[Judgement]:
        self.asked.append(list(claims))
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return [
            Judgement(
                verdict="supported", score=0.8, reasons=("other words",), judged_by="judge",
                evidence=SourceEvidence(0, len(claim.sources[0]) - 6, len(claim.sources[0])),
            )
            for claim in claims
        ]  # fmt: skip


def model(*pieces: str, pause: float = 0.0) -> Callable[..., AsyncIterator[StreamEvent]]:
    async def stream(settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        for piece in pieces:
            yield ModelDelta(piece)
            await asyncio.sleep(pause)
        yield Finish("stop")

    return stream


@pytest.fixture
def passages(make_passage: Callable[..., Passage]) -> list[Passage]:
    return [make_passage("Members borrow twelve books. The hall is closed.", start=100)]


def collect(
    passages: Sequence[Passage], judge: Judge, *pieces: str, pause: float = 0.0, **more: Any
) -> list[AnswerEvent]:
    async def run() -> list[AnswerEvent]:
        events = answer(
            question="Which books?", passages=passages, model=MODEL, stream_fn=model(*pieces, pause=pause), judge=judge,
            **more,
        )  # fmt: skip
        return [event async for event in events]

    return asyncio.run(run())


def verdicts(events: Sequence[AnswerEvent]) -> list[tuple[int, str]]:
    return [(each.index, each.verdict) for each in events if isinstance(each, SentenceChecked)]


def test_a_paraphrase_is_judged_and_its_citation_moves_to_the_words_found(passages: list[Passage]) -> None:
    judge = Judge()
    events = collect(passages, judge, PARAPHRASE)
    done = events[-1]
    assert isinstance(done, Answer)
    assert verdicts(events) == [(0, "supported")]
    assert [(each.verdict, each.score, each.reasons, each.judged_by) for each in done.sentences] == [
        ("supported", 0.8, ("other words",), "judge")
    ]
    (citation,) = done.citations
    assert citation.quote == "closed."[-6:] == passages[0].text[citation.start - 100 : citation.end - 100]
    assert judge.asked[0][0].question == "Which books?"


def test_what_stands_word_for_word_or_is_wrong_for_certain_is_not_asked_about(passages: list[Passage]) -> None:
    judge = Judge()
    events = collect(passages, judge, EXACT, "Members borrow 13 books [S1]. ", "No source here.")
    assert verdicts(events) == [(0, "supported"), (1, "unsupported"), (2, "uncited")]
    assert [each.judged_by for each in events if isinstance(each, SentenceChecked)] == ["check"] * 3
    assert judge.asked == []


def test_words_go_on_while_a_sentence_is_judged(passages: list[Passage]) -> None:
    judge = Judge(seconds=0.05)
    events = collect(passages, judge, PARAPHRASE, EXACT, *["More words. "] * 20, pause=0.01)
    order = [type(each).__name__ if not isinstance(each, SentenceChecked) else each.index for each in events]
    assert order.index(0) > order.index(1)  # the exact one was told first
    assert any(isinstance(each, Delta) for each in events[order.index(0) :])  # and before the answer had ended
    assert isinstance(events[-1], Answer)


def test_a_verdict_does_not_wait_for_a_model_that_pauses(passages: list[Passage]) -> None:
    judge = Judge(seconds=0.01)
    events = collect(passages, judge, f"{PARAPHRASE}More", " words.", pause=0.5)
    order = [each.index if isinstance(each, SentenceChecked) else getattr(each, "text", "") for each in events]
    assert order.index(0) < order.index(" words.")


def test_a_model_that_fails_while_a_sentence_is_judged_ends_the_answer_with_its_error(passages: list[Passage]) -> None:
    async def breaking(settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        yield ModelDelta(f"{PARAPHRASE}More")
        await asyncio.sleep(0.01)
        raise ModelInterrupted()

    async def run() -> list[AnswerEvent]:
        judge, events = Judge(seconds=0.1), list[AnswerEvent]()
        with pytest.raises(ModelInterrupted):
            async for event in answer(
                question="Which?", passages=passages, model=MODEL, stream_fn=breaking, judge=judge
            ):
                events.append(event)
        return events

    events = asyncio.run(run())
    assert isinstance(events[-1], Partial)
    assert (0, "supported") in verdicts(events)


def test_an_answer_that_is_left_while_the_model_pauses_closes_its_stream(passages: list[Passage]) -> None:
    closed: list[str] = []

    async def pausing(settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        try:
            yield ModelDelta(f"{PARAPHRASE}More")
            await asyncio.sleep(30)
        finally:
            closed.append("model")

    async def leave() -> None:
        events = answer(question="Which?", passages=passages, model=MODEL, stream_fn=pausing, judge=Judge(seconds=0.01))
        async for event in events:
            if isinstance(event, SentenceChecked):
                break
        await events.aclose()

    asyncio.run(asyncio.wait_for(leave(), 5))
    assert closed == ["model"]


def test_sentences_that_end_while_the_judge_is_busy_are_asked_about_together(passages: list[Passage]) -> None:
    judge = Judge(seconds=0.05)
    events = collect(passages, judge, *([PARAPHRASE] * 5), pause=0.005)
    assert [len(batch) for batch in judge.asked] == [1, 4]
    assert sorted(verdicts(events)) == [(index, "supported") for index in range(5)]


def test_a_judge_that_takes_too_long_leaves_sentences_unchecked(
    passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prose, "PATIENCE", 0.05)
    judge = Judge(seconds=30)
    events = collect(passages, judge, PARAPHRASE, PARAPHRASE)
    done = events[-1]
    assert isinstance(done, Answer)
    assert verdicts(events) == [(0, "unchecked"), (1, "unchecked")]
    assert done.sentences[0].reasons == ("there was no time to check it",)
    assert done.citations[0].quote in passages[0].text  # where the words alone point
    assert judge.cancelled


def test_a_judge_that_fails_costs_no_answer(passages: list[Passage]) -> None:
    events = collect(passages, Judge(error=RuntimeError("broken")), PARAPHRASE, EXACT)
    assert sorted(verdicts(events)) == [(0, "unchecked"), (1, "supported")]
    assert isinstance(events[-1], Answer)


def test_without_checking_nothing_is_judged(passages: list[Passage]) -> None:
    judge = Judge()
    assert verdicts(collect(passages, judge, PARAPHRASE, citation_mode="off")) == [(0, "unchecked")]
    assert judge.asked == []


def test_an_answer_that_is_left_lets_go_of_its_judge(passages: list[Passage]) -> None:
    judge = Judge(seconds=30)

    async def leave() -> None:
        events = answer(
            question="Which?", passages=passages, model=MODEL, judge=judge,
            stream_fn=model(PARAPHRASE, *["More. "] * 20, pause=0.005),
        )  # fmt: skip
        async for event in events:
            if isinstance(event, Delta) and judge.asked:
                break
        await events.aclose()
        await asyncio.sleep(0.01)

    asyncio.run(leave())
    assert judge.cancelled
    assert checking.IN_A_HURRY < 1 <= checking.PATIENCE
