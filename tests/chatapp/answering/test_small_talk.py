from __future__ import annotations

import time

import pytest

from chatapp.answering.small_talk import is_small_talk


@pytest.mark.parametrize(
    "text",
    [
        "Hello", "hi there!", "  Good morning.  ", "Thanks a lot!", "thank you, bye", "How are you today?", "OK, thanks.",
        "Hallo zusammen", "Vielen Dank!", "Danke schön, auf Wiedersehen", "Wie geht’s?", "Hello :-)", "Great. Thank you!",
    ],
)  # fmt: skip
def test_small_talk_needs_no_search(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "?!", "Thanks, and what does it cost?", "Hello, when does the hall open?", "Hi-Fi", "Hello World program",
        "What does \"good morning\" mean in the manual?", "Dankesschreiben", "Bye-laws", "Okay temperature",
        "Is it ok?", "Great Britain", "hello " * 40,
    ],
)  # fmt: skip
def test_a_question_is_searched(text: str) -> None:
    assert not is_small_talk(text)


@pytest.mark.parametrize(
    "text", ["Nice", "nice?", "Great!", "Perfect", "Cool.", "Thank", "Dank", "Greetings", "MOIN-1"]
)
def test_one_word_that_somebody_may_look_up_is_searched(text: str) -> None:
    assert not is_small_talk(text)


@pytest.mark.parametrize(
    "text", ["hi", "HEY!", "Thanks.", "ok", "Okay!", "bye", "Bye-bye", "Moin", "Danke", "Tschüss :)"]
)
def test_one_word_that_only_greets_or_thanks_is_small_talk(text: str) -> None:
    assert is_small_talk(text)


def test_words_of_praise_are_small_talk_beside_others() -> None:
    assert is_small_talk("Nice, thanks")
    assert is_small_talk("Hello. Nice to meet you!")
    assert is_small_talk("OK, great")


def test_long_texts_cost_nothing() -> None:
    began = time.perf_counter()
    assert not is_small_talk("hello, " * 100_000)
    assert not is_small_talk("bye " * 29)
    assert time.perf_counter() - began < 1
