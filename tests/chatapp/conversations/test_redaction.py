from __future__ import annotations

from typing import Any

import pytest

from chatapp.conversations.redaction import Repeats, redacted, redacted_events

SOURCE = "The tenant pays a rent of 900 euros on the third of each month."


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("a RENT of 900 Euros is due", True),
        ("a rent\ue0001\ue001 of 900 euros", True),
        ("900 euros of rent", False),
        ("a rent of 900", False),
        ("", False),
    ],
)
def test_five_words_in_a_row_are_a_repetition(text: str, repeated: bool) -> None:
    assert Repeats([SOURCE])(text) is repeated


def test_signs_without_spaces_are_words() -> None:
    assert Repeats(["每月三日前支付租金九百欧元"])("租金九百欧元")
    assert not Repeats([])("租金九百欧元")


def sentence(index: int, text: str, words: str) -> dict[str, Any]:
    start = text.index(words)
    return {"index": index, "start": start, "end": start + len(words), "reasons": ["because"]}


def test_sentences_move_to_where_their_words_are_now() -> None:
    text = "- One is cited.\n- Two stays.\n\n```\nrent of 900 euros on the third\n```\nEnd."
    sentences = [sentence(0, text, "One is cited."), sentence(1, text, "Two stays."), sentence(2, text, "End.")]
    shown, moved, gone = redacted(text, sentences, cited={0}, repeats=Repeats([SOURCE]), notice="[gone]")
    assert shown == "- [gone]\n- Two stays.\n\n[gone]\nEnd."
    assert [shown[s["start"] : s["end"]] for s in moved] == ["[gone]", "Two stays.", "End."]
    assert [s["reasons"] for s in moved] == [[], ["because"], ["because"]]
    assert gone == {0}


def test_a_text_without_sentences_goes_by_its_words() -> None:
    assert redacted(SOURCE, [], cited=(), repeats=Repeats([SOURCE]), notice="[gone]") == ("[gone]", [], set())
    assert redacted("", [], cited=(), repeats=Repeats([SOURCE]), notice="[gone]") == ("", [], set())


def test_events_without_text_stay_without_text() -> None:
    ended = [{"type": "run.error", "seq": 1}]
    assert redacted_events(ended, text="x", query="", gone=(), keys=()) == ended


def test_events_of_an_unknown_kind_are_left_out() -> None:
    known = {"type": "run.started", "seq": 1}
    assert redacted_events(
        [known, {"type": "answer.aside", "words": SOURCE}], text="x", query="", gone=(), keys=()
    ) == [known]
