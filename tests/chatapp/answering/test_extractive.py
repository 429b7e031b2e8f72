from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from chatapp.answering.extractive import OPENING_LINE, ExtractiveModel
from chatapp.answering.hints import expected_words, opens_with_reference
from chatapp.answering.markers import Cite, MarkerParser, NoAnswer, SentenceEnd, Text
from chatapp.answering.prompt import SourceBlock, build_messages, label_passages
from knowledge.types import Passage, Turn

LIBRARY = (
    "The library was founded in 1884 by Clara Weiss. It holds about 90,000 volumes in six languages. "
    "Members may borrow up to twelve books for four weeks. A late book costs 0.50 euro a day. "
    "The house stands on a hill above the river."
)
POOL = "The pool opens at seven. Children under six swim free of charge. The pool holds 90,000 litres of water."


def ask(make_passage: Callable[..., Passage], question: str, *texts: str, history: Sequence[Turn] = ()) -> str:
    passages = label_passages([make_passage(text) for text in texts])
    return "".join(ExtractiveModel().stream(build_messages(question=question, passages=passages, history=history)))


@pytest.fixture
def library(make_passage: Callable[..., Passage]) -> Callable[..., str]:
    return lambda question, **options: ask(make_passage, question, LIBRARY, POOL, **options)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When was the library founded?", "- The library was founded in 1884 by Clara Weiss. [S1]"),
        ("How many books may members borrow?", "- Members may borrow up to twelve books for four weeks. [S1]"),
        ("What does a late book cost?", "- A late book costs 0.50 euro a day. [S1]"),
        ("At what time does the pool open?", "- The pool opens at seven. [S2]"),
    ],
)
def test_best_sentence_is_quoted_first_with_its_marker(
    library: Callable[..., str], question: str, expected: str
) -> None:
    lines = library(question).split("\n")
    assert lines[:2] == [OPENING_LINE, ""]
    assert lines[2] == expected
    assert len(lines) <= 6


def test_every_quotation_is_verbatim_and_cited(library: Callable[..., str]) -> None:
    parser = MarkerParser({"S1", "S2"})
    events = [*parser.feed(library("How many volumes does the library hold?")), *parser.finish()]
    cited = {event.sentence for event in events if isinstance(event, Cite)}
    ended = {event.index for event in events if isinstance(event, SentenceEnd)}
    assert ended - cited == {0}  # the opening line
    text = "".join(event.text for event in events if isinstance(event, Text))
    for line in text.split("\n- ")[1:]:
        assert line in LIBRARY or line in POOL


def test_sentence_that_opens_with_a_pronoun_takes_its_predecessor(library: Callable[..., str]) -> None:
    lines = library("How many volumes, in how many languages?").split("\n")
    assert lines[2] == "- The library was founded in 1884 by Clara Weiss. [S1]"
    assert lines[3] == "- It holds about 90,000 volumes in six languages. [S1]"


def test_question_about_something_else_is_not_answered(library: Callable[..., str]) -> None:
    parser = MarkerParser({"S1", "S2"})
    events = parser.feed(library("Zebra gallop?")) + parser.finish()
    assert events[0] == NoAnswer()
    assert not [event for event in events if isinstance(event, Cite)]


def test_question_of_stop_words_is_not_answered(library: Callable[..., str]) -> None:
    assert library("What is it?").startswith("NO_ANSWER\n")


def test_follow_up_uses_the_question_before(library: Callable[..., str]) -> None:
    history = (Turn(role="user", text="Tell me about the pool"), Turn(role="assistant", text="It opens at seven."))
    assert "[S2]" in library("And for children?", history=history).split("\n")[2]
    assert "pool holds" in library("How much water?", history=history).split("\n")[2]


def test_same_sentence_in_two_sources_is_quoted_once(make_passage: Callable[..., Passage]) -> None:
    output = ask(make_passage, "What does a late book cost?", LIBRARY, LIBRARY)
    assert output.count("A late book costs") == 1


@pytest.mark.parametrize(
    "text",
    [
        "Use the `foo command to start the server quickly.",
        "The price of $x and <b rises when markers [1] appear there.",
        "See the list (S4) and the array [S2 for the server price.",
        "Line one of the server\nprice goes on here.",
        "The server price rose. [12] It fell again.",
        "Der Server kostet ca. 5 Euro am 3. Oktober.",
    ],
)
def test_markdown_in_a_source_cannot_swallow_a_marker(make_passage: Callable[..., Passage], text: str) -> None:
    output = ask(make_passage, "server price", text)
    parser = MarkerParser({"S1", "S2", "S12"})
    events = [*parser.feed(output), *parser.finish()]
    cites = [event for event in events if isinstance(event, Cite)]
    assert {cite.label for cite in cites} == {"S1"}
    ended = [event.index for event in events if isinstance(event, SentenceEnd)]
    assert sorted({cite.sentence for cite in cites}) == ended[1:]


def test_embeddings_can_find_what_words_do_not() -> None:
    sources = (SourceBlock("S1", "House", "The house stands high above the river. Cars are parked behind the house."),)

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([[1, 0] if "park" in text or "vehicle" in text else [0, 1] for text in texts], dtype=np.float32)

    question = "Where do vehicles of the house stand?"
    assert ExtractiveModel().choose(sources, question)[0][1].startswith("The house")
    assert ExtractiveModel(embed).choose(sources, question)[0][1].startswith("Cars")


@pytest.mark.parametrize(
    ("question", "sentence", "expected"),
    [
        ("How many books?", "It has twelve books.", 1.0),
        ("How many books?", "It has books.", 0.0),
        ("In what year did it open?", "It opened in 1884.", 1.0),
        ("Wann war das?", "Das war im Oktober.", 1.0),
        ("Who founded it?", "It was founded by Clara Weiss.", 1.0),
        ("Who founded it?", "It was founded late.", 0.0),
        ("Why did it close?", "It closed because of rain.", 1.0),
        ("Describe it.", "It closed because of rain in 1884.", 0.0),
    ],
)
def test_kind_of_question_says_what_to_look_for(question: str, sentence: str, expected: float) -> None:
    assert expected_words(question, sentence) == expected


def test_pronouns_refer_back() -> None:
    assert opens_with_reference("It holds much.")
    assert opens_with_reference("Diese Regel gilt.")
    assert not opens_with_reference("Italy holds much.")


def test_choosing_is_fast() -> None:
    sources = tuple(SourceBlock(f"S{n}", "T", (LIBRARY + " " + POOL) * 4) for n in range(1, 9))
    ExtractiveModel().choose(sources, "warm up the library")
    started = time.perf_counter()
    ExtractiveModel().choose(sources, "How many volumes does the library hold?")
    assert time.perf_counter() - started < 0.3  # 6 ms measured for 6 passages; room for a busy machine
