"""Questions that people bring: what is read, and what is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatapp.evaluation.expected import find
from chatapp.evaluation.labelled import UnusableSet
from chatapp.evaluation.question_files import Asked, Wanted, read_path, read_questions


def test_rows_of_one_question_are_one_with_several_answers() -> None:
    rows = [
        {"question": "Who?", "document": "a.md", "quote": "the cook"},
        {"question": "When?", "document": "b.md"},
        {"question": "Who? ", "document": "c.md", "quote": None},
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode() + b"\n\n"
    assert read_questions(data, name="q.jsonl") == [
        Asked(text="Who?", wanted=(Wanted("a.md", "the cook"), Wanted("c.md"))),
        Asked(text="When?", wanted=(Wanted("b.md"),)),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_with_whatever_parts_its_columns(delimiter: str) -> None:
    lines = [["document", "question", "quote"], ["a.md", "Who?", '"two\nlines"'], ["b.md", "When?", ""]]
    data = "﻿" + "\r\n".join(delimiter.join(line) for line in lines)
    assert read_questions(data.encode(), name="Questions.CSV") == [
        Asked(text="Who?", wanted=(Wanted("a.md", "two\nlines"),)),
        Asked(text="When?", wanted=(Wanted("b.md"),)),
    ]


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"\xff\xfe", "q.jsonl", "q.jsonl is not UTF-8."),
        (b"", "q.jsonl", "q.jsonl has no questions."),
        (b'{"question": "Who?"', "q.jsonl", "q.jsonl, line 1: not JSON."),
        (b"[1]", "q.jsonl", "q.jsonl, line 1: not a JSON object."),
        (b'{"question": "Who?"}', "q.jsonl", "line 1: there is no “document”."),
        (b'\n{"question": 3, "document": "a"}', "q.jsonl", "line 2: “question” is not a text."),
        (b"a,b\n1,2\n", "q.csv", "must name the columns question and document"),
        (b"question,document\nWho?\n", "q.csv", "line 2: there is no “document”."),
        (json.dumps({"question": "x" * 9_000, "document": "a"}).encode(), "q.jsonl", "longer than 8,000 characters"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused_in_words(data: bytes, name: str, words: str) -> None:
    with pytest.raises(UnusableSet, match=words.replace(".", r"\.").replace("(", r"\(")):
        read_questions(data, name=name)


def test_too_many_questions_are_refused() -> None:
    data = "\n".join(json.dumps({"question": f"Who is {n}?", "document": "a"}) for n in range(5_001))
    with pytest.raises(UnusableSet, match="more than 5,000 questions"):
        read_questions(data.encode(), name="q.jsonl")


def test_a_labelled_set_brings_its_answerable_questions(ferry: Path, tmp_path: Path) -> None:
    found = read_path(ferry)
    assert found
    assert all(asked.wanted and all(wanted.quote for wanted in asked.wanted) for asked in found)
    assert len(read_path(ferry, most=5)) <= 5
    with pytest.raises(UnusableSet, match="cannot be read"):
        read_path(tmp_path / "nothing.jsonl")


def test_a_quote_is_found_whatever_white_space_and_case_it_has() -> None:
    text = "The cook\n  throws soup away. THE COOK throws (soup) away."
    assert find(text, "the cook throws soup") == [(0, 22)]
    assert find(text, "The  cook") == [(0, 8), (29, 37)]
    assert find(text, "(soup)") == [(45, 51)]
    assert find(text, "  ") == []
