from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.answering.sentences import split_document, split_text


def texts(answer: str) -> list[str]:
    return [answer[each.start : each.end] for each in split_text(answer)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It is 3.5 m. It fell.", ["It is 3.5 m.", "It fell."]),
        ("Dr. Who met Mr. Smith at St. Paul. Then left.", ["Dr. Who met Mr. Smith at St. Paul.", "Then left."]),
        ("Use e.g. Redis or z.B. Valkey. Done.", ["Use e.g. Redis or z.B. Valkey.", "Done."]),
        ("The U.S. Army came at 5 p.m. Nobody knew.", ["The U.S. Army came at 5 p.m.", "Nobody knew."]),
        ("Am 3. Oktober ging es los. Am Tag danach nicht.", ["Am 3. Oktober ging es los.", "Am Tag danach nicht."]),
        ("Es kostet ca. 5 Mio. Euro. Das ist viel.", ["Es kostet ca. 5 Mio. Euro.", "Das ist viel."]),
        ("It began in 1990. Then it ended.", ["It began in 1990.", "Then it ended."]),
        ("See example.com. It works.", ["See example.com.", "It works."]),
        ("J. R. Tolkien wrote it. Yes.", ["J. R. Tolkien wrote it.", "Yes."]),
        ("Wait… no. Wait… Yes.", ["Wait… no.", "Wait…", "Yes."]),
        ('"No!" he said. "Yes." She left.', ['"No!" he said.', '"Yes."', "She left."]),
        ("天空是蓝的。草是绿的！好", ["天空是蓝的。", "草是绿的！", "好"]),
        ("「好。」他说。", ["「好。」", "他说。"]),
        ("1. First item\n2. Second item", ["1. First item", "2. Second item"]),
        ("- apple\n- pear", ["- apple", "- pear"]),
        ("A line that\ngoes on. End.", ["A line that\ngoes on.", "End."]),
        ("# Title\nbody text", ["# Title", "body text"]),
        ("One\n\ntwo", ["One", "two"]),
        ("| a | b |\n| 1. x | 2 |", ["| a | b |", "| 1. x | 2 |"]),
    ],
)
def test_sentences_end_where_a_reader_would_say(answer: str, expected: list[str]) -> None:
    assert texts(answer) == expected


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ("It is so.", ["statement"]),
        ("Is it so?\ue0001\ue001", ["question"]),
        ("## Parking\nFree.", ["heading", "statement"]),
        ("**Parking**\nFree.", ["heading", "statement"]),
        ("**Parking** is free.", ["statement"]),
        ("The reasons are:\n- cost", ["lead", "statement"]),
        ("Two things: cost and time.", ["statement"]),
        ("---\nText.", ["markup", "statement"]),
        ("| Name | Age |\n|---|---|\n| Ann | 5 |", ["heading", "markup", "statement"]),
    ],
)
def test_kind_says_whether_a_sentence_states_something(answer: str, kinds: list[str]) -> None:
    assert [each.kind for each in split_text(answer)] == kinds


@given(st.text(alphabet="aB1 .!?\n。|#-*", max_size=60))
def test_answer_sentences_cover_all_visible_text_in_order(answer: str) -> None:
    found = split_text(answer)
    assert [each.index for each in found] == list(range(len(found)))
    assert "".join("".join(texts(answer)).split()) == "".join(answer.split())


@given(st.text(alphabet="aB1 .!?\n。|#-*", max_size=60))
def test_document_sentences_cover_all_visible_text_in_order(text: str) -> None:
    ranges = split_document(text)
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in ranges)
    assert "".join("".join(text[a:b] for a, b in ranges).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.\n\nThree", ["One.", "Two.", "Three"]),
        ("Short heading\nThe text begins here.", ["Short heading", "The text begins here."]),
        ("- apple\n- pear", ["- apple", "- pear"]),
        ("a | b\n1 | 2", ["a | b", "1 | 2"]),
        ("好。是。", ["好。", "是。"]),
        ("Dr. Who lives. Am 3. Oktober kam er.", ["Dr. Who lives.", "Am 3. Oktober kam er."]),
    ],
)
def test_documents_are_cut_at_sentences_and_blocks(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in split_document(text)] == expected


def test_wrapped_line_of_a_document_does_not_end_a_sentence() -> None:
    text = "A long line of a paragraph that was wrapped by its editor at\nEighty characters goes on here. Next."
    assert len(split_document(text)) == 2
