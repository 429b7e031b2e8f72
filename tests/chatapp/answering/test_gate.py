"""Citation mode ``require``: nothing goes out before its verdict, and nothing that is not held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.answering.events import Answer, AnswerEvent, CitationUsed, Delta, Partial, SentenceChecked
from chatapp.answering.gate import MOSTLY_REMOVED, REMOVED
from chatapp.answering.generate import answer
from chatapp.answering.sentinels import strip_sentinels
from chatapp.answering.verification import Claim, Judgement
from knowledge.errors import ModelInterrupted
from knowledge.llm import Delta as ModelDelta
from knowledge.llm import Finish, Message, ModelSettings, StreamEvent
from knowledge.types import Passage

MODEL = ModelSettings(model="scripted/one", context_window=100_000)
SOURCE = "Members borrow twelve books. The hall is closed on Sunday. Late books cost 0.50 euro a day."
HELD, ALSO, WRONG, OPEN = (
    "Members borrow twelve books [S1].", "The hall is closed on Sunday [S1].", "Members borrow 13 books [S1].",
    "A dozen volumes may go home [S1].",
)  # fmt: skip


async def judge(claims: Sequence[Claim]) -> list[Judgement]:
    await asyncio.sleep(0.01)
    return [Judgement(verdict="supported", score=0.8, reasons=("other words",), evidence=None) for _ in claims]


def run(
    *pieces: str,
    passages: Sequence[Passage],
    error: Exception | None = None,
    mode: str = "require",
    judged: Any = judge,
    **more: Any,
) -> list[AnswerEvent]:
    async def stream(given: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        for piece in pieces:
            yield ModelDelta(piece)
            await asyncio.sleep(0)
        if error is not None:
            raise error
        yield Finish("stop")

    async def collect() -> list[AnswerEvent]:
        found: list[AnswerEvent] = []
        events = answer(
            question="Which?",
            passages=passages,
            model=MODEL,
            stream_fn=stream,
            citation_mode=mode,
            judge=judged,
            **more,
        )
        try:
            async for event in events:
                found.append(event)
        except ModelInterrupted:
            assert error is not None
        return found

    return asyncio.run(collect())


@pytest.fixture(scope="module")
def passages(make_passage: Callable[..., Passage]) -> list[Passage]:
    return [make_passage(SOURCE, start=100)]


def done(events: Sequence[AnswerEvent]) -> Answer:
    last = events[-1].answer if isinstance(events[-1], Partial) else events[-1]
    assert isinstance(last, Answer)
    assert last.text == "".join(event.text for event in events if isinstance(event, Delta))
    shown = [(e.index, e.start, e.end, e.verdict) for e in events if isinstance(e, SentenceChecked)]
    assert shown == [(s.index, s.start, s.end, s.verdict) for s in last.sentences]
    return last


def words(found: Answer) -> list[str]:
    return [strip_sentinels(found.text[each.start : each.end]) for each in found.sentences]


def test_what_is_held_goes_out_as_it_is(passages: list[Passage]) -> None:
    pieces = [f"{HELD} ", f"{ALSO}\n\n", "- ", OPEN]
    strict, plain = (done(run(*pieces, passages=passages, mode=mode)) for mode in ("require", "mark"))
    assert (strict.text, strict.citations) == (plain.text, plain.citations)
    assert [*map(asdict, strict.sentences)] == [*map(asdict, plain.sentences)]


def test_what_is_wrong_or_uncited_is_replaced_by_a_notice(passages: list[Passage]) -> None:
    found = done(run(f"{HELD} {WRONG} {ALSO} ", f"Nobody knows why. {OPEN}", passages=passages))
    assert words(found) == [
        "Members borrow twelve books[1].", REMOVED, "The hall is closed on Sunday[1].", REMOVED,
        "A dozen volumes may go home[1].",
    ]  # fmt: skip
    assert [each.verdict for each in found.sentences] == [
        "supported",
        "unsupported",
        "supported",
        "uncited",
        "supported",
    ]
    assert [each.left_out for each in found.sentences] == [False, True, False, True, False]
    assert [each.sentence for each in found.citations] == [0, 2, 4]
    assert "13" in found.raw_output
    assert "13" not in found.text
    assert not found.no_answer


def test_sentences_removed_one_after_the_other_share_a_notice(passages: list[Passage]) -> None:
    found = done(run(f"{HELD} {WRONG} Nobody knows. {ALSO}\n\n{OPEN}\n", passages=passages))
    assert found.text.count(REMOVED) == 1
    assert found.sentences[1].start == found.sentences[2].start
    assert words(found)[1:3] == [REMOVED, REMOVED]


def test_list_items_and_rows_keep_their_place(passages: list[Passage]) -> None:
    rows = "| Day | Fee |\n|---|---|\n| Sunday | 0.50 euro [S1] |\n| Monday | 99 euro [S1] |\n"
    found = done(run(f"- {HELD}\n- {WRONG}\n- {ALSO}\n\n{rows}", passages=passages))
    lines = strip_sentinels(found.text).splitlines()
    assert lines[1] == f"- {REMOVED}"
    assert lines[-1] == f"| {REMOVED} | |"
    assert lines[-2].startswith("| Sunday | 0.50 euro")


def test_with_flag_everything_is_shown_with_its_verdict(passages: list[Passage]) -> None:
    found = done(run(f"{HELD} {WRONG}", passages=passages, enforcement="flag"))
    assert words(found) == ["Members borrow twelve books[1].", "Members borrow 13 books[1]."]
    assert [each.verdict for each in found.sentences] == ["supported", "unsupported"]


def test_an_answer_of_which_little_is_left_is_no_answer(passages: list[Passage]) -> None:
    found = done(run(f"{WRONG} Nobody knows. {HELD} Everybody knows. And so on.", passages=passages))
    assert found.no_answer
    assert found.text.endswith(MOSTLY_REMOVED)
    assert found.sentences[-1].verdict == "exempt"
    assert found.text[found.sentences[-1].start : found.sentences[-1].end] == MOSTLY_REMOVED.strip()


def test_nothing_goes_out_before_it_was_judged(passages: list[Passage]) -> None:
    events = run(OPEN[:10], OPEN[10:], " ", HELD, " ", ALSO, passages=passages)
    out, told = "", 0
    for event in events:
        if isinstance(event, Delta):
            out += event.text
        elif isinstance(event, SentenceChecked):
            assert len(out) == event.end  # its words have just gone out, and no others
            told += 1
        elif isinstance(event, CitationUsed):
            assert f"\ue000{event.number}\ue001" not in out
    assert told == 3


def test_what_could_not_be_checked_is_withheld(passages: list[Passage]) -> None:
    async def broken(claims: Sequence[Claim]) -> list[Judgement]:
        raise RuntimeError("broken")

    found = done(run(f"{HELD} {OPEN}", passages=passages, judged=broken))
    assert words(found) == ["Members borrow twelve books[1].", REMOVED]


def test_an_interrupted_answer_keeps_the_rule(passages: list[Passage]) -> None:
    events = run(f"{HELD} {WRONG} The hall", passages=passages, error=ModelInterrupted("gone"))
    assert isinstance(events[-1], Partial)
    assert words(done(events))[:3] == ["Members borrow twelve books[1].", REMOVED, REMOVED]


def test_a_refusal_and_small_talk_go_through(passages: list[Passage]) -> None:
    assert done(run("NO_ANSWER The sources do not say.", passages=passages)).no_answer
    assert REMOVED not in done(run(f"Sure, here is what I found:\n\n{HELD}", passages=passages)).text


@pytest.mark.parametrize(
    "claim",
    [
        "**The chairman was convicted of fraud in 2019.**",
        "## The auditor was bribed with 3 million",
        "```\nThe chairman was convicted of fraud and fled abroad.\n```",
        "| The chairman | fled to Dubai |\n|---|---|\n",
        "The chairman stole 5 million:",
        "Was the chairman convicted of fraud?",
        "In summary, the company was founded on fraud and its chairman fled abroad.",
        "Sure, the auditor was bribed by the chairman.",
    ],
)
def test_a_claim_in_the_dress_of_something_else_is_withheld(passages: list[Passage], claim: str) -> None:
    found = done(run(f"{HELD}\n\n{claim}\n\n{ALSO}", passages=passages))
    for word in ("chairman", "auditor", "fraud"):
        assert word not in found.text
    assert "Members borrow twelve books" in found.text


@pytest.mark.parametrize("lead", ["## Opening days", "Here is what the rules say:", "Which books?", "Happy to help!"])
def test_headings_and_leads_that_bring_nothing_go_through(passages: list[Passage], lead: str) -> None:
    found = done(run(f"{lead}\n\n{HELD}\n\n{ALSO}", passages=passages))
    assert lead in found.text or lead == "Happy to help!"


def test_a_refusal_opens_no_door(passages: list[Passage]) -> None:
    text = "NO_ANSWER\nThe sources do not say. The company was convicted of fraud in 2019. Its chairman fled to Dubai."
    found = done(run(text, passages=passages))
    assert found.no_answer
    assert "The sources do not say." in found.text
    assert "fraud" not in found.text
    assert "Dubai" not in found.text


def test_reasons_of_what_was_withheld_do_not_quote_it(passages: list[Passage]) -> None:
    found = done(run(f"{HELD} It says “we will close the hall for good” [S1]. {ALSO}", passages=passages))
    assert "for good" not in str(found.sentences)
    assert found.sentences[1].reasons == ("withheld: the sources do not support it",)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [HELD, ALSO, WRONG, OPEN, "No source.", "\n\n", "- ", "## Rules\n\n", "\n\n```\nx = 1\n```\n\n"]
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
)
def test_any_text_cut_anywhere_gives_the_same_answer(
    passages: list[Passage], parts: list[str], cuts: list[int]
) -> None:
    text = " ".join(parts)
    pieces, at = [], 0
    while at < len(text):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(text[at : at + size])
        at += size
    cut, whole = (done(run(*given, passages=passages)) for given in (pieces, [text] if text else []))
    assert (cut.text, cut.sentences, cut.citations) == (whole.text, whole.sentences, whole.citations)
    assert "13" not in cut.text
    for citation in cut.citations:
        assert SOURCE[citation.start - 100 : citation.end - 100] == citation.quote
