"""Enforcement ``repair``: what the sources do not hold is written anew before it is shown, or withheld."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from chatapp.answering.events import Answer, AnswerEvent, CitationUsed, Delta, SentenceChecked
from chatapp.answering.gate import REMOVED
from chatapp.answering.generate import answer
from chatapp.answering.repair import MOST, REWRITTEN, ROUNDS
from chatapp.answering.sentinels import strip_sentinels
from chatapp.answering.verification import Claim, Judgement
from knowledge.errors import ModelInterrupted
from knowledge.llm import Delta as ModelDelta
from knowledge.llm import Finish, Message, ModelSettings, StreamEvent, Usage
from knowledge.types import Passage

MODEL = ModelSettings(model="scripted/one", context_window=100_000)
SOURCE = "Members borrow twelve books. The hall is closed on Sunday. Late books cost 0.50 euro a day."
OTHER = "Children under six pay nothing."
RIGHT, WRONG, LATER = (
    "The hall is closed on Sunday [S1].", "Members borrow 13 books [S1].", "Late books cost 0.50 euro a day [S1].",
)  # fmt: skip


class Model:
    """Writes an answer, then one reply after the other to what it is asked to write anew."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies, self.asked = list(replies), list[Sequence[Message]]()

    async def stream(self, given: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        self.asked.append(messages)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        for at in range(0, len(reply), 7):
            yield ModelDelta(reply[at : at + 7])
            await asyncio.sleep(0)
        yield Usage(prompt_tokens=100, completion_tokens=10, estimated=False)
        yield Finish("stop")


async def believe(claims: Sequence[Claim]) -> list[Judgement]:
    found = Judgement(verdict="supported", score=0.8, reasons=("other words",), evidence=None, judged_by="vectors")
    return [found] * len(claims)


def run(model: Model, passages: Sequence[Passage], **more: Any) -> list[AnswerEvent]:
    async def collect() -> list[AnswerEvent]:
        events = answer(
            question="Which?", passages=passages, model=MODEL, stream_fn=model.stream, citation_mode="require",
            enforcement="repair", **{"judge": believe, **more},
        )  # fmt: skip
        return [event async for event in events]

    return asyncio.run(collect())


@pytest.fixture(scope="module")
def passages(make_passage: Callable[..., Passage]) -> list[Passage]:
    return [make_passage(SOURCE, start=100), make_passage(OTHER, start=900)]


def done(events: Sequence[AnswerEvent]) -> Answer:
    assert isinstance(events[-1], Answer)
    return events[-1]


def shown(events: Sequence[AnswerEvent]) -> str:
    text = "".join(event.text for event in events if isinstance(event, Delta))
    assert text == done(events).text
    return strip_sentinels(text)


def cited(answer: Answer) -> list[tuple[int, int, str]]:
    for each in answer.citations:
        start = each.start - each.passage.start
        assert each.passage.text[start : start + len(each.quote)] == each.quote
    return [(each.sentence, each.number, each.label) for each in answer.citations]


def test_a_sentence_is_written_anew_in_its_place(passages: list[Passage]) -> None:
    model = Model(f"{RIGHT} {WRONG} {LATER}", "1. Members borrow twelve books [S1].")
    events = run(model, passages)
    assert shown(events) == (
        "The hall is closed on Sunday[1]. Members borrow twelve books[1]. Late books cost 0.50 euro a day[1]."
    )
    answer = done(events)
    assert [each.verdict for each in answer.sentences] == ["supported"] * 3
    assert answer.sentences[1].reasons[0] == REWRITTEN
    assert [answer.text[each.start : each.end].strip() for each in answer.sentences][1].startswith("Members borrow t")
    assert cited(answer) == [(0, 1, "S1"), (1, 1, "S1"), (2, 1, "S1")]
    assert "13" not in answer.text
    assert answer.raw_output.startswith(f"{RIGHT} {WRONG}")
    assert answer.raw_output.endswith("1. Members borrow twelve books [S1].")
    assert answer.usage == Usage(prompt_tokens=200, completion_tokens=20, estimated=False)


def test_a_sentence_that_was_written_anew_says_who_judged_it(passages: list[Passage]) -> None:
    model = Model(f"{RIGHT} {WRONG}", "1. Of books, members may take twelve [S1].")
    assert [each.judged_by for each in done(run(model, passages)).sentences] == ["check", "vectors"]


def test_the_model_is_told_the_sentence_the_reason_and_the_sources(passages: list[Passage]) -> None:
    model = Model(WRONG, "1. Members borrow twelve books [S1].")
    run(model, passages)
    asked = model.asked[1][-1]["content"]
    assert "1. Members borrow 13 books [S1]." in asked
    assert "number 13 not in the source" in asked
    assert SOURCE in asked
    assert "Question: Which?" in asked
    assert [message["role"] for message in model.asked[1]] == ["system", "user"]


def test_a_source_first_cited_by_the_new_sentence_gets_the_next_number(passages: list[Passage]) -> None:
    model = Model(f"{RIGHT} {WRONG}", "1. Children under six pay nothing [S2].")
    events = run(model, passages)
    assert shown(events).endswith("Children under six pay nothing[2].")
    assert cited(done(events)) == [(0, 1, "S1"), (1, 2, "S2")]
    used = [(event.number, event.label) for event in events if isinstance(event, CitationUsed)]
    assert used == [(1, "S1"), (2, "S2")]


def test_what_is_still_wrong_is_asked_for_once_more_and_then_withheld(passages: list[Passage]) -> None:
    again = "1. Members borrow 14 books [S1]."
    model = Model(f"{RIGHT} {LATER} {WRONG}", again, again)
    events = run(model, passages)
    assert len(model.asked) == 1 + ROUNDS
    assert "number 14 not in the source" in model.asked[2][-1]["content"]
    assert shown(events).endswith(REMOVED)
    assert "14" not in done(events).text
    assert [each.verdict for each in done(events).sentences] == ["supported", "supported", "unsupported"]
    assert cited(done(events)) == [(0, 1, "S1"), (1, 1, "S1")]


@pytest.mark.parametrize(
    "reply",
    [
        "1. DELETE", "1. **Delete.**", "", "I cannot do that.", "7. Members borrow twelve books [S1].",
        "1. Members borrow twelve books.", "1. Members borrow twelve books [S9].", "1. NO_ANSWER",
        "1. Members borrow twelve books [S1]. Ask Bo Lind about 99 others.",
    ],
)  # fmt: skip
def test_no_reply_lets_through_what_is_not_held(passages: list[Passage], reply: str) -> None:
    events = run(Model(f"{RIGHT} {WRONG}", reply, reply), passages)
    assert shown(events) == f"The hall is closed on Sunday[1]. {REMOVED}"


def test_several_are_asked_for_in_one_call_and_lists_stay_lists(passages: list[Passage]) -> None:
    model = Model(
        f"- {WRONG}\n- {RIGHT}\n- Children under 16 pay nothing [S2].\n",
        "1. Members borrow twelve books [S1].\n2) Children under six pay nothing [S2].",
    )
    events = run(model, passages)
    assert shown(events).strip() == (
        "- Members borrow twelve books[1].\n- The hall is closed on Sunday[1].\n- Children under six pay nothing[2]."
    )
    assert len(model.asked) == 2


def test_nothing_is_asked_where_nothing_is_wrong(passages: list[Passage]) -> None:
    model = Model(f"{RIGHT} {LATER}")
    assert len(done(run(model, passages)).sentences) == 2
    assert len(model.asked) == 1


def test_sentences_before_the_first_wrong_one_do_not_wait(passages: list[Passage]) -> None:
    events = run(Model(f"{RIGHT} {WRONG}", "1. DELETE", "1. DELETE"), passages)
    order = [type(event) for event in events]
    assert order.index(SentenceChecked) < len(order) - 3
    first = next(event for event in events if isinstance(event, Delta))
    assert first.text.startswith("The hall")


def test_a_model_that_fails_costs_the_repair_and_not_the_answer(passages: list[Passage]) -> None:
    events = run(Model(f"{RIGHT} {WRONG}", ModelInterrupted(), ModelInterrupted()), passages)
    assert shown(events) == f"The hall is closed on Sunday[1]. {REMOVED}"


def test_a_stopped_answer_is_not_repaired(passages: list[Passage]) -> None:
    pieces = iter([False] * 9)
    model = Model(f"{WRONG} {RIGHT} {LATER}")
    events = run(model, passages, should_stop=lambda: next(pieces, True))
    assert done(events).finish == "stopped"
    assert len(model.asked) == 1
    assert "13" not in done(events).text


def test_an_answer_with_many_wrong_sentences_asks_for_some_only(passages: list[Passage]) -> None:
    wrong = " ".join(f"Members borrow {number} books [S1]." for number in range(100, 100 + MOST + 5))
    model = Model(wrong, "", "")
    events = run(model, passages)
    assert f"\n{MOST}. " in model.asked[1][-1]["content"]
    assert f"\n{MOST + 1}. " not in model.asked[1][-1]["content"]
    assert done(events).no_answer
