"""Answers as objects: read, held against a schema, mended once, checked text by text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from chatapp.answering import output_of
from chatapp.answering.events import Answer, AnswerEvent, CitationUsed, Delta, Partial, SentenceChecked
from chatapp.answering.generate import answer
from chatapp.answering.modes import FINE_TUNED
from chatapp.answering.output import OutputRefused
from chatapp.answering.schemas import OutputSchema, checked_schema
from chatapp.answering.sentinels import strip_sentinels
from chatapp.answering.unsourced import GUARD, REFUSAL
from knowledge.errors import ModelInterrupted
from knowledge.llm import Delta as ModelDelta
from knowledge.llm import Finish, Message, ModelSettings, StreamEvent, Usage
from knowledge.types import Passage, Turn

MODEL = ModelSettings(model="scripted/one", context_window=100_000)
SENTENCE = "Visitors register at the desk before 18:00"
FIELDS = {
    "rule": {"type": "string"},
    "hours": {"type": "integer"},
    "kind": {"enum": ["duty", "right"]},
    "notes": {"type": "array", "items": {"type": "string"}},
}
SCHEMA = checked_schema({"type": "object", "properties": FIELDS, "required": ["rule"]})


class Scripted:
    """A model with one reply for each call."""

    def __init__(self, *replies: str, finish: str = "stop") -> None:
        self.replies, self.finish = list(replies), finish
        self.asked: list[Sequence[Message]] = []
        self.settings: list[ModelSettings] = []

    async def __call__(self, settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        self.settings.append(settings)
        self.asked.append(messages)
        yield ModelDelta(self.replies[len(self.asked) - 1])
        yield Usage(prompt_tokens=7, completion_tokens=3, estimated=False)
        yield Finish(self.finish)


@pytest.fixture
def passages(make_passage: Callable[..., Passage]) -> list[Passage]:
    return [make_passage(f"{SENTENCE}.", start=100), make_passage("Bicycles stand in the yard.", start=300)]


def run(model: Scripted, passages: Sequence[Passage], **options: Any) -> list[AnswerEvent]:
    chosen = {"output": OutputSchema(schema=SCHEMA), "citation_mode": "mark"} | options

    async def collect() -> list[AnswerEvent]:
        found: list[AnswerEvent] = []
        try:
            async for event in answer(
                question="When do visitors register?", passages=passages, model=MODEL, stream_fn=model, **chosen
            ):
                found.append(event)
        except OutputRefused as error:
            found.append(error)  # type: ignore[arg-type]
        return found

    return asyncio.run(collect())


def said(events: Sequence[AnswerEvent]) -> Answer:
    last = events[-1]
    assert isinstance(last, Answer)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == last.text
    return last


def words(record: Answer) -> list[tuple[str, str]]:
    return [(strip_sentinels(record.text[each.start : each.end], ""), each.verdict) for each in record.sentences]


def test_sentences_stand_in_the_texts_of_the_object(passages: list[Passage]) -> None:
    written = {
        "rule": f"{SENTENCE} [S1]. Badges are blue.",
        "hours": 18,
        "kind": "duty",
        "notes": ["Bicycles stand in the yard [S2]."],
    }
    events = run(Scripted(json.dumps(written)), passages)
    record = said(events)
    assert words(record) == [
        (f"{SENTENCE}.", "supported"), ("Badges are blue.", "uncited"), ("18", "uncited"), ("duty", "uncited"),
        ("Bicycles stand in the yard.", "supported"),
    ]  # fmt: skip
    assert [(c.number, c.label, c.sentence) for c in record.citations] == [(1, "S1", 0), (2, "S2", 4)]
    assert [event.number for event in events if isinstance(event, CitationUsed)] == [1, 2]
    assert output_of(record.text) == written | {
        "rule": f"{SENTENCE}. Badges are blue.", "notes": ["Bicycles stand in the yard."],
    }  # fmt: skip
    assert record.sentences[2].kind == "value"


def test_quotes_and_line_breaks_move_no_range(passages: list[Passage]) -> None:
    rule = f'He said "no"\nand \\ left.\n\n{SENTENCE} [S2][S1]. Over.'
    record = said(run(Scripted(json.dumps({"rule": rule})), passages))
    assert [each for each, _ in words(record)][1:] == [f"{SENTENCE}.", "Over."]
    assert output_of(record.text) == {"rule": rule.replace(" [S2][S1]", "")}
    assert [(c.number, c.label) for c in record.citations] == [(1, "S2"), (2, "S1")]


def test_what_does_not_fit_is_mended_once(passages: list[Passage]) -> None:
    model = Scripted('{"hours": "many"}', f'```json\n{{"rule": "{SENTENCE} [S1]."}}\n```')
    record = said(run(model, passages))
    assert output_of(record.text) == {"rule": f"{SENTENCE}."}
    again = model.asked[1]
    assert again[-2] == {"role": "assistant", "content": '{"hours": "many"}'}
    assert "'rule' is a required property" in again[-1]["content"]
    assert "hours: 'many' is not of type 'integer'" in again[-1]["content"]
    assert record.raw_output.startswith('{"hours": "many"}\n\n```json')
    assert record.usage == Usage(prompt_tokens=14, completion_tokens=6, estimated=False)


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_what_fits_neither_time_is_an_error_that_keeps_the_raw_output(finish: str, passages: list[Passage]) -> None:
    events = run(Scripted("Well, it", "is {", finish=finish), passages)
    assert isinstance(events[-1], OutputRefused)
    kept = events[-2]
    assert isinstance(kept, Partial)
    assert kept.answer.text == ""
    assert kept.answer.raw_output == "Well, it\n\nis {"
    assert not [event for event in events if isinstance(event, Delta)], "nothing was shown"


@pytest.mark.parametrize("reply", ["NO_ANSWER\nNothing is said of that.", '{"rule": "NO_ANSWER"}'])
def test_a_refusal_comes_through_in_words(reply: str, passages: list[Passage]) -> None:
    record = said(run(Scripted(reply), passages))
    assert record.no_answer
    assert record.text in ("Nothing is said of that.", "The sources that were found do not contain the answer.")


def test_a_mark_that_no_source_has_is_dropped_and_a_list_is_held_without_marks(passages: list[Passage]) -> None:
    record = said(run(Scripted(json.dumps({"rule": "So [S9].", "kind": "duty [S1]"})), passages))
    assert output_of(record.text) == {"rule": "So.", "kind": "duty"}
    assert [anomaly.kind for anomaly in record.anomalies] == ["out_of_range"]


def test_require_keeps_the_object_an_object(passages: list[Passage]) -> None:
    written = {"rule": f'{SENTENCE} [S1]. Badges are "blue".', "hours": 18, "notes": []}
    record = said(run(Scripted(json.dumps(written)), passages, citation_mode="require", enforcement="repair"))
    assert output_of(record.text) == {
        "rule": f"{SENTENCE}. *[removed: the sources do not support it]*", "hours": None, "notes": [],
    }  # fmt: skip
    assert [each.left_out for each in record.sentences] == [False, True, True]


def test_the_server_is_asked_for_the_schema_where_it_takes_one(passages: list[Passage]) -> None:
    model = Scripted('{"rule": "x"}')
    run(model, passages, output=OutputSchema(schema=SCHEMA, native=True))
    asked = model.settings[0].extra["response_format"]
    assert asked["json_schema"]["schema"] == SCHEMA
    assert asked["json_schema"]["strict"] is False, "not every property is required"
    plain = Scripted('{"rule": "x"}')
    run(plain, passages)
    assert plain.settings[0].extra == {}


def test_late_verdicts_find_their_sentence(passages: list[Passage]) -> None:
    from chatapp.answering.verification import Judgement, SourceEvidence

    async def judge(claims: Sequence[Any]) -> list[Judgement]:
        return [
            Judgement(verdict="weak", score=0.3, reasons=("so",), evidence=SourceEvidence(source=0, start=0, end=8))
            for _ in claims
        ]

    written = {"notes": ["Hm.", "Visitors come early [S1]."], "rule": "Bicycles are outside [S2]."}
    events = run(Scripted(json.dumps(written)), passages, judge=judge)
    record = said(events)
    assert words(record) == [("Hm.", "uncited"), ("Visitors come early.", "weak"), ("Bicycles are outside.", "weak")]
    assert [event.index for event in events if isinstance(event, SentenceChecked)] == [0, 1, 2]
    assert [(c.sentence, c.quote) for c in record.citations] == [(1, "Visitors"), (2, "Bicycles")]


def test_without_a_search_the_prompt_has_no_sources_and_nothing_is_checked() -> None:
    model = Scripted("The desk opens at nine [S1]. # Really?")
    record = said(run(model, [], output=None, mode=FINE_TUNED, system_prompt="Be brief."))
    assert model.asked[0] == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "When do visitors register?"},
    ]  # fmt: skip
    assert {(each.verdict, each.reasons) for each in record.sentences} == {("unchecked", ("no_sources",))}
    assert record.citations == ()
    assert "[S1]" not in record.text
    assert "\ue000" not in record.text


def test_without_a_search_earlier_turns_are_told_with_the_guard() -> None:
    model = Scripted("NO_ANSWER")
    history = [Turn(role="user", text="Hi \ue0001\ue001"), Turn(role="assistant", text="x" * 4_000)]
    record = said(run(model, [], output=None, mode=FINE_TUNED, history=history))
    assert model.asked[0][0] == {"role": "system", "content": GUARD}
    assert model.asked[0][1]["content"] == "Hi "
    assert (record.no_answer, record.text) == (True, REFUSAL)
    small = ModelSettings(model="scripted/one", context_window=600, max_output_tokens=100)
    from chatapp.answering.unsourced import unsourced_messages

    kept = unsourced_messages(
        question="Q", history=history, system_prompt=None, context_window=small.context_window, max_output_tokens=100
    )
    assert [message["role"] for message in kept] == ["system", "user"], "the long turn does not fit"


def test_an_object_may_come_from_training_alone() -> None:
    record = said(run(Scripted('{"rule": "By nine.", "hours": 9}'), [], mode=FINE_TUNED))
    assert words(record) == [("By nine.", "unchecked"), ("9", "unchecked")]
    assert output_of(record.text) == {"rule": "By nine.", "hours": 9}


def test_an_object_stays_one_where_a_sentence_is_taken_out(passages: list[Passage]) -> None:
    from dataclasses import asdict

    from chatapp.conversations.redaction import redacted

    written = {"rule": f'{SENTENCE} [S1]. Badges are "blue".', "hours": 18}
    record = said(run(Scripted(json.dumps(written)), passages))
    text, _, gone = redacted(
        record.text,
        [asdict(each) for each in record.sentences],
        cited={0},
        repeats=lambda _: False,
        notice="[Left out.]",
    )
    assert gone == {0}
    assert output_of(text) == {"rule": '[Left out.] Badges are "blue".', "hours": 18}


def test_a_stopped_object_shows_nothing_and_is_not_asked_for_again(passages: list[Passage]) -> None:
    model = Scripted('{"rule": "Vis', finish="stopped")
    record = said(run(model, passages))
    assert (record.text, record.finish, len(model.asked)) == ("", "stopped", 1)
    assert record.raw_output == '{"rule": "Vis'


def test_a_model_that_breaks_off_leaves_what_it_wrote(passages: list[Passage]) -> None:
    class Breaking(Scripted):
        async def __call__(self, settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
            yield ModelDelta('{"rule": "Vis')
            raise ModelInterrupted

    events: list[AnswerEvent] = []

    async def collect() -> None:
        async for event in answer(
            question="Q?", passages=passages, model=MODEL, stream_fn=Breaking(), output=OutputSchema(schema=SCHEMA)
        ):
            events.append(event)

    with pytest.raises(ModelInterrupted):
        asyncio.run(collect())
    kept = events[-1]
    assert isinstance(kept, Partial)
    assert (kept.answer.raw_output, kept.answer.finish) == ('{"rule": "Vis', "interrupted")
    assert kept.answer.usage is not None
    assert kept.answer.usage.estimated
