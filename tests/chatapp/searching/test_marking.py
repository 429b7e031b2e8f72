from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.searching.marking import Piece, flowing, pieces, without_marks
from knowledge.analysis import terms


def marked(text: str, question: str) -> list[str]:
    return [piece.text for piece in pieces(text, terms(question)) if piece.marked]


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("The herons hunt fish.", "Which heron hunts?", ["herons", "hunt"]),
        ("The heron of the river", "the of", []),
        ("Send form AB-12/3 or AB-99.", "AB-12/3", ["AB-12/3", "AB"]),
        ("Use os.path and foo_bar here.", "foo_bar", ["foo_bar"]),
        ("well-known facts", "known", ["known"]),
        ("They paid 1,200 euros.", "1200", ["1,200"]),
        ("Straße und ÉCOLE", "strasse école", ["Straße", "ÉCOLE"]),
        ("東京都の大学", "大学", ["大学"]),
        ("don't worry", "worry", ["worry"]),
        ("a 😀 heron 😀", "heron", ["heron"]),
        ("nothing here", "", []),
        ("", "heron", []),
    ],
)
def test_words_of_the_question_are_marked(text: str, question: str, expected: list[str]) -> None:
    assert marked(text, question) == expected


def test_words_are_marked_in_every_language_of_the_knowledge_bases() -> None:
    text = "Die Häuser sind teuer. Houses are expensive."
    found = pieces(text, ["haus", "hous"], languages=("en", "de"))
    assert [piece.text for piece in found if piece.marked] == ["Häuser", "Houses"]
    assert [piece.text for piece in pieces(text, ["haus", "hous"]) if piece.marked] == ["Houses"]


def test_marks_that_touch_are_one() -> None:
    assert marked("東京大学", "東京大学") == ["東京大学"]


@given(st.text(), st.text())
def test_the_pieces_are_the_text(text: str, question: str) -> None:
    found = pieces(text, terms(question))
    assert "".join(piece.text for piece in found) == text
    assert all(piece.text for piece in found)
    assert all(one.marked != two.marked for one, two in zip(found, found[1:], strict=False))


def test_a_blob_without_spaces_takes_no_time() -> None:
    blob = "x" * 500_000 + " heron"
    assert marked(blob, "heron") == ["heron"]


def test_line_ends_that_mean_nothing_flow() -> None:
    text = "One sentence goes\non here.\n\n- a list\n- of two\n\n| a | b |\n| 1 | 2 |\nand text\n# Heading\n2. Second"
    flowed = flowing(text, "text/markdown")
    assert len(flowed) == len(text)
    assert flowed == text.replace("goes\non", "goes on")
    assert flowing(text, "text/plain") == text
    code = "```\none\ntwo\n```"
    assert flowing(code, "text/markdown") == code


def test_marks_of_markdown_are_not_shown_and_the_words_stay_marked() -> None:
    text = "## Fees\n\nThe **late fee** is [small](https://a.test/fee).\n\n| Day | Fee |\n|---|---|\n| Sunday | `1` |"
    found = without_marks(pieces(flowing(text, "text/markdown"), terms("late fee")), text)
    assert "".join(piece.text for piece in found) == "Fees\n\nThe late fee is small.\n\nDay · Fee\nSunday · 1"
    assert [piece.text for piece in found if piece.marked] == ["Fees", "late", "fee", "Fee"]
    assert without_marks([Piece("**", marked=True)], "**") == [Piece("**", marked=True)]
