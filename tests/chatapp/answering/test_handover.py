"""A provider's own citations, from its wire to the answer that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.answering.events import AnomalyCounted, Answer, AnswerEvent, CitationUsed, Delta, Partial
from chatapp.answering.generate import answer
from chatapp.answering.handover import hand_over, place
from chatapp.answering.markers import Anomaly, Cite, Event, MarkerParser, SentenceEnd, Text
from chatapp.answering.prompt import label_passages
from chatapp.answering.sentinels import sentinel, strip_sentinels
from knowledge import llm
from knowledge.errors import KnowledgeError
from knowledge.llm import Deadlines, Message, ModelSettings, NativeCitation, StreamEvent
from knowledge.llm import Delta as ModelDelta
from knowledge.llm.native import forget_refusals
from knowledge.types import Passage, Variant
from tests.support.citing_model import CitingModel, anthropic, anthropic_block, char_location, cohere, cohere_citation

Make = Callable[..., Passage]
FIRST = "Intro. Members of the library borrow twelve books. More text."
SECOND = "Late books cost 0.50 euro a day. The hall is closed."
QUOTE = "Members of the library borrow twelve books."
LABELS = ("S1", "S2")


@pytest.fixture
def passages(make_passage: Make) -> list[Passage]:
    return [make_passage(FIRST, start=100), make_passage(SECOND, start=900, title="Fees")]


# --- candidates ---------------------------------------------------------------------------------------


def candidate(quote: str | None, start: int | None = None, end: int | None = None, **more: str) -> NativeCitation:
    return NativeCitation(label="S1", quote=quote, start=start, end=end, **more)


@pytest.mark.parametrize(
    ("citation", "expected"),
    [
        (candidate(QUOTE, 7, 50), (7, 50)),
        (candidate(f" {QUOTE} ", 6, 51), (7, 50)),
        (candidate(QUOTE, 0, 43), (7, 50)),
        (candidate(QUOTE, -5, 10**9), (7, 50)),
        (candidate(QUOTE), (7, 50)),
        (candidate("Members  of the library\nborrow"), (7, 36)),
        (candidate("Members borrow thirteen books", 7, 50), "native_quote"),
        (candidate("", 0, 0), "native_quote"),
        (candidate("  "), "native_quote"),
        (candidate(None), None),
        (candidate(None, fault="span"), "native_span"),
        (candidate(None, since=" of them"), None),
        (candidate(None, since=". Late"), "native_late"),
        (candidate(None, since=". "), None),
    ],
)
def test_copied_words_must_stand_in_the_passage(make_passage: Make, citation: NativeCitation, expected: object) -> None:
    assert place(citation, make_passage(FIRST)) == expected


def test_candidate_of_no_passage_is_none() -> None:
    assert place(candidate(QUOTE), None) == "native_source"


def test_words_that_are_sent_with_neutral_signs_are_found_where_they_stand(make_passage: Make) -> None:
    passage = make_passage("Note [S2] says: borrow twelve. Note [S2] says: borrow twelve.")
    sent = hand_over(question="q", passages=label_passages([passage])).documents[0].text
    assert "[S2]" not in sent
    assert place(candidate(sent[31:], 31, 61), passage) == (31, 61)


def test_repeated_words_are_taken_where_the_provider_saw_them(make_passage: Make) -> None:
    assert place(candidate("Twelve.", 8, 15), make_passage("Twelve. Twelve.")) == (8, 15)


def test_passages_become_documents_with_their_place_beside_them(make_passage: Make) -> None:
    other = Variant(key="key-5", differences=(("twelve", "ten"),))
    passages = [
        make_passage(FIRST, heading_path=("A", "B"), page_first=3, page_last=4, title="Hand\nbook " + "x" * 300),
        make_passage(SECOND, start=5),
    ]
    passages[0] = replace(passages[0], variants=(other,))
    handed = hand_over(question=" How many? ", passages=label_passages(passages), today="2026-11-26")
    first, second = handed.documents
    assert (first.label, second.label, second.context) == ("S1", "S2", "")
    assert first.title.startswith("Hand book x")
    assert len(first.title) == 200
    assert first.context == "section: A > B | page 3-4 | nearly the same as S2, but “twelve” here, “ten” there"
    assert first.text == FIRST
    assert handed.content.endswith("Today is 2026-11-26.\n\nQuestion: How many?")
    assert FIRST not in handed.content


# --- beside the text -------------------------------------------------------------------------------------


def told(raw: str, *, cuts: Sequence[int] = ()) -> list[Event]:
    """Parse ``raw``, in which ``{1}`` is a citation of S1 told beside the text; ``cuts`` are further cuts."""
    parser = MarkerParser(LABELS)
    events: list[Event] = []
    at = 0
    for part in raw.replace("}", "{").split("{"):
        if part.isdigit():
            events += parser.cite(f"S{part}")
            continue
        places = sorted({cut - at for cut in cuts if at < cut < at + len(part)} | {0, len(part)})
        for start, end in zip(places, places[1:], strict=False):
            events += parser.feed(part[start:end])
        at += len(part)
    events += parser.finish()
    merged: list[Event] = []
    for event in events:
        if isinstance(event, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + event.text)
        else:
            merged.append(event)
    return merged


def sentences(raw: str) -> list[str]:
    events = told(raw)
    full = "".join(
        event.text if isinstance(event, Text) else sentinel(event.number)
        for event in events
        if isinstance(event, Text | Cite)
    )
    ends = [event.sentence for event in events if isinstance(event, SentenceEnd)]
    return [full[each.start : each.end].replace("\ue000", "<").replace("\ue001", ">") for each in ends]


BESIDE = {
    "One{1}. Two{2}.": ["One<1>.", "Two<2>."],
    "One.{1} Two. {2}": ["One.<1>", "Two.<2>"],
    "One. {1}Two.": ["One.<1>", "Two."],
    "One.\n\n{1}Two.": ["One.<1>", "Two."],
    "One{1} and{1} two{1}.": ["One<1> and two."],
    "One{1} [S1].": ["One<1>."],
    "One{1} and two [S1]. Three [S1].": ["One<1> and two.", "Three<1>."],
    "One [S1]{1}.": ["One<1>."],
    "One [S1] and two{1}{2}.": ["One<1> and two<2>."],
    "One [S1]{2}(see).": ["One<1><2>(see)."],
    "One [S{2}1].": ["One<1><2>."],
    "One [link]{1}(http://x.y).": ["One [link](http://x.y)<1>."],
    "Call `f(x{1})` now.": ["Call `f(x)`<1> now."],
    "```\nx{1}\n```\nThen.": ["```\nx\n```", "Then."],
    "# Title{1}\n\nOne.": ["# Title", "One."],
    "| a | b |{1}\n|---|---|\n| 5 {2}| 6 |": ["| a | b |", "|---|---|", "| 5<1> | 6 |"],
    "- one{1}\n- two{2}": ["- one<1>", "- two<2>"],
    "{1}One.": ["One."],
    "One{9}.": ["One."],
    "Sources vary{1}. Two.": ["Sources vary<1>.", "Two."],
    "One [1{2}]. Two.": ["One<1>.<2>", "Two."],
    "One.\n[S2]\n{1}": ["One.<1><2>"],
    "One.{1}\n\n[S1] says two.": ["One.<1>", "<1> says two."],
    "One{1}\n\nSources:\n- [S1] x{2}": ["One<1>"],
    "Eins<cite{1}>zwei</cite>.": ["Eins<1>zwei."],
}


@pytest.mark.parametrize(("raw", "expected"), BESIDE.items())
def test_citation_beside_the_text_finds_its_place_once_a_sentence(raw: str, expected: list[str]) -> None:
    assert sentences(raw) == expected


@pytest.mark.parametrize("raw", BESIDE)
def test_where_it_was_told_counts_and_not_how_the_text_was_cut(raw: str) -> None:
    whole = told(raw)
    assert told(raw, cuts=range(len(raw))) == whole
    for at in range(len(raw)):
        assert told(raw, cuts=[at]) == whole


@pytest.mark.parametrize("raw", ["# Title{1}", "{1}", "```\nx\n```\n{1}", "| a |{1}"])
def test_citation_without_a_place_is_counted(raw: str) -> None:
    assert [event.kind for event in told(raw) if isinstance(event, Anomaly)] == ["native_unplaced"]


PIECES = [
    "One",
    " two",
    ". ",
    "\n",
    "\n\n",
    "{1}",
    "{2}",
    "[S1]",
    "[S2].",
    "`",
    "```\n",
    "| a |",
    "# ",
    "- ",
    "[x](y)",
    "Sources:\n",
]


@settings(max_examples=300, deadline=None)
@given(raw=st.lists(st.sampled_from(PIECES), max_size=30).map("".join), cuts=st.lists(st.integers(0, 100), max_size=5))
def test_any_mixture_gives_whole_text_and_marks_of_known_sources(raw: str, cuts: list[int]) -> None:
    events = told(raw)
    assert told(raw, cuts=cuts) == events
    text, last_end = "", 0
    for event in events:
        if isinstance(event, Text):
            text += event.text
        elif isinstance(event, Cite):
            assert (event.label in LABELS, event.position) == (True, len(text))
            text += sentinel(event.number)
        elif isinstance(event, SentenceEnd):
            assert last_end <= event.sentence.start < event.sentence.end <= len(text)
            last_end = event.sentence.end
    assert not text[last_end:].strip()


# --- the answer ------------------------------------------------------------------------------------------------


def native(label: str, quote: str | None, start: int | None = None, end: int | None = None) -> NativeCitation:
    return NativeCitation(label=label, quote=quote, start=start, end=end)


def run(
    stream: Callable[..., Any] | None, passages: Sequence[Passage], model: ModelSettings | None = None,
    *, runner: asyncio.Runner | None = None, **options: Any,
) -> tuple[list[AnswerEvent], KnowledgeError | None]:  # fmt: skip
    async def collect() -> tuple[list[AnswerEvent], KnowledgeError | None]:
        found: list[AnswerEvent] = []
        asked = model or ModelSettings(model="anthropic/x", context_window=100_000, native_citations=True)
        try:
            async for event in answer(question="Which?", passages=passages, model=asked, stream_fn=stream, **options):
                found.append(event)
        except KnowledgeError as err:
            return found, err
        return found, None

    return (runner.run if runner else asyncio.run)(collect())


def scripted(*items: str | NativeCitation) -> Callable[..., AsyncIterator[StreamEvent]]:
    async def stream(settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        for item in items:
            yield ModelDelta(item) if isinstance(item, str) else item

    return stream


def kept(events: Sequence[AnswerEvent]) -> Answer:
    last = events[-1]
    assert isinstance(last, Answer)
    for citation in last.citations:
        text = citation.passage.text
        start = citation.passage.start
        assert text[citation.start - start : citation.end - start] == citation.quote
    assert last.text == "".join(event.text for event in events if isinstance(event, Delta))
    return last


def test_candidate_becomes_a_citation_like_any_other(passages: list[Passage]) -> None:
    model = scripted("A dozen may be taken", native("S1", QUOTE, 7, 50), ". Late books cost 0.50 euro a day [S2].")
    events, _ = run(model, passages)
    done = kept(events)
    assert strip_sentinels(done.text) == "A dozen may be taken[1]. Late books cost 0.50 euro a day[2]."
    assert [(each.sentence, each.label, each.quote) for each in done.citations] == [
        (0, "S1", QUOTE), (1, "S2", "Late books cost 0.50 euro a day.")
    ]  # fmt: skip
    assert [(each.start, each.end) for each in done.citations] == [(107, 150), (900, 932)]
    assert [(each.verdict, each.citations) for each in done.sentences] == [("unchecked", (1,)), ("supported", (2,))]
    used = [event for event in events if isinstance(event, CitationUsed)]
    assert [(each.number, each.label, each.evidence.start) for each in used] == [(1, "S1", 7), (2, "S2", 0)]


def test_it_is_checked_like_any_other(passages: list[Passage]) -> None:
    events, _ = run(scripted("Members borrow 13 books", native("S1", QUOTE, 7, 50), "."), passages)
    assert [(each.verdict, each.citations) for each in kept(events).sentences] == [("unsupported", (1,))]


def test_same_passage_is_not_cited_twice_and_keeps_the_words_the_provider_named(passages: list[Passage]) -> None:
    model = scripted("A dozen [S1]", native("S1", QUOTE, 7, 50), native("S1", "More text.", 51, 61), ".")
    done = kept(run(model, passages)[0])
    assert strip_sentinels(done.text) == "A dozen[1]."
    assert [each.quote for each in done.citations] == [QUOTE]


def test_words_of_one_sentence_are_not_those_of_the_next(passages: list[Passage]) -> None:
    model = scripted("A dozen", native("S1", QUOTE, 7, 50), ". There is more text [S1].")
    done = kept(run(model, passages)[0])
    assert [(each.sentence, each.quote) for each in done.citations] == [(0, QUOTE), (1, "More text.")]


def test_candidates_that_cannot_be_are_dropped_and_counted(passages: list[Passage]) -> None:
    model = scripted(
        "A dozen", native("S1", "Members borrow a thousand books."), native("S9", QUOTE), native("", QUOTE),
        replace(native("S1", None), fault="span"), replace(native("S1", None), since=". Two"), ".",
    )  # fmt: skip
    events, _ = run(model, passages)
    done = kept(events)
    assert (done.text, done.citations) == ("A dozen.", ())
    kinds = ["native_quote", "native_source", "native_source", "native_span", "native_late"]
    assert [each.kind for each in done.anomalies] == kinds
    assert [each.count for each in events if isinstance(each, AnomalyCounted)] == [1, 1, 2, 1, 1]
    assert [each.verdict for each in done.sentences] == ["uncited"]


def test_passages_are_handed_over_only_where_model_and_setting_say_so(passages: list[Passage]) -> None:
    asked: list[ModelSettings] = []

    async def stream(settings: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        asked.append(settings)
        yield ModelDelta("Twelve.")

    for model, native_citations in (("anthropic/x", True), ("anthropic/x", False), ("openai/x", True)):
        settings = ModelSettings(model=model, context_window=100_000, native_citations=native_citations)
        done = kept(run(stream, passages, settings)[0])
        assert FIRST in done.messages[-1]["content"]
    assert [each.handover is not None for each in asked] == [True, False, False]


def test_required_citations_may_be_the_provider_s(passages: list[Passage]) -> None:
    model = scripted(
        "Members of the library borrow twelve books", native("S1", QUOTE, 7, 50), ". Books are blue.",
    )  # fmt: skip
    text = strip_sentinels(kept(run(model, passages, citation_mode="require", enforcement="flag")[0]).text)
    assert text.startswith("Members of the library borrow twelve books[1].")


# --- over the wire -------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[CitingModel]:
    forget_refusals()
    llm.warm_up()
    with CitingModel() as model:
        yield model
    forget_refusals()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all calls, as in a web process."""
    with asyncio.Runner() as loop:
        yield loop
        loop.run(llm.close_clients())


def over(server: CitingModel, provider: str) -> ModelSettings:
    return ModelSettings(
        model=f"{provider}/m", api_base=server.url + ("/v2/chat" if provider == "cohere" else ""), api_key="k",
        context_window=100_000, native_citations=True, deadlines=Deadlines(first_token=30, gap=20, total=60),
    )  # fmt: skip


def test_anthropic_answer_over_the_wire(server: CitingModel, runner: asyncio.Runner, passages: list[Passage]) -> None:
    server.events = anthropic(
        anthropic_block(thinking="Both [S1] and [S2]."),
        anthropic_block('As stated, <cite index="0">'),
        anthropic_block("a dozen", " books", citations=[char_location(0, QUOTE, 7)], first=True),
        anthropic_block("</cite> may be taken. "),
        anthropic_block("Late ones cost 0.50 euro", citations=[char_location(1, SECOND[:32]), char_location(1, "no")]),
        anthropic_block(" a day [S2]. That is all."),
    )
    events, error = run(None, passages, over(server, "anthropic"), runner=runner)
    done = kept(events)
    assert error is None
    assert strip_sentinels(done.text) == (
        "As stated, a dozen books[1] may be taken. Late ones cost 0.50 euro[2] a day. That is all."
    )
    assert [(each.sentence, each.label, each.quote) for each in done.citations] == [
        (0, "S1", QUOTE), (1, "S2", SECOND[:32])
    ]  # fmt: skip
    assert sorted(each.kind for each in done.anomalies) == ["leaked_tag", "leaked_tag", "native_quote"]
    sent = server.requests[0]["messages"][0]["content"]
    assert [block.get("title") for block in sent] == ["[S1] Handbook", "[S2] Fees", None]
    assert FIRST not in sent[-1]["text"]


def test_cohere_answer_over_the_wire(server: CitingModel, runner: asyncio.Runner, passages: list[Passage]) -> None:
    server.events = cohere(
        "A dozen <co: 0>books</co: 0> may be", " taken. Late", cohere_citation(0, "A dozen <co: 0>books", "S1"),
        " ones cost 0.50 euro a day.", cohere_citation(42, "Late ones cost 0.50 euro", "S2"),
    )  # fmt: skip
    events, error = run(None, passages, over(server, "cohere"), runner=runner)
    done = kept(events)
    assert error is None
    assert strip_sentinels(done.text) == "A dozen books[1] may be taken. Late ones cost 0.50 euro[2] a day."
    assert [(each.sentence, each.label) for each in done.citations] == [(0, "S1"), (1, "S2")]


def test_answer_that_is_cut_keeps_what_was_cited(
    server: CitingModel, runner: asyncio.Runner, passages: list[Passage]
) -> None:
    server.events, server.cut = (
        anthropic(anthropic_block("A dozen books", citations=[char_location(0, QUOTE, 7)])[:-1], finish=None),
        True,
    )
    events, error = run(None, passages, over(server, "anthropic"), runner=runner)
    assert error is not None
    (partial,) = [event for event in events if isinstance(event, Partial)]
    assert [each.quote for each in partial.answer.citations] == [QUOTE]
    assert partial.answer.finish == "interrupted"


def test_provider_that_refuses_is_given_the_sources_as_text(
    server: CitingModel, runner: asyncio.Runner, passages: list[Passage]
) -> None:
    server.refuse = lambda body: 400 if isinstance(body["messages"][0]["content"], list) and any(
        block["type"] == "document" for block in body["messages"][0]["content"]
    ) else None  # fmt: skip
    server.events = anthropic(anthropic_block("Members of the library borrow twelve books [S1]."))
    for _ in range(2):
        done = kept(run(None, passages, over(server, "anthropic"), runner=runner)[0])
        assert [each.verdict for each in done.sentences] == ["supported"]
    assert len(server.requests) == 3
    assert FIRST in str(server.requests[-1])
