"""Files of rows: three shapes, two formats, and a reason for every line that is not taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatapp.finetuning.datasets.shapes import kind_of
from chatapp.finetuning.datasets.uploads import MOST_BYTES, UploadRefused, read_rows


def lines(*rows: Any) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def test_three_shapes_become_rows() -> None:
    data = lines(
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi?"},
                      {"role": "assistant", "content": "Hello."}]},
        {"prompt": "Two?", "completion": "2"},
        {"prompt": [{"role": "user", "content": "Three?"}], "completion": "3"},
        {"instruction": "Sort.", "context": "b a", "output": "a b"},
    )  # fmt: skip
    read = read_rows(data, name="rows.jsonl", kind="instruction")
    assert [(row.prompt[-1]["content"], row.completion) for row in read.proposals] == [
        ("Hi?", "Hello."), ("Two?", "2"), ("Three?", "3"), ("Sort.\n\nb a", "a b"),
    ]  # fmt: skip
    assert (read.errors, read.refused) == ([], 0)


def test_context_becomes_a_source_of_the_own_prompt_and_the_output_is_labelled() -> None:
    data = lines({"instruction": "Until when?", "context": "Open until 18:00.", "output": "It is open until 18:00."})
    (row,) = read_rows(data, name="rows.jsonl", kind="raft").proposals
    assert row.completion == "It is open until 18:00 [S1]."
    assert kind_of(row.prompt, row.completion) == "grounded"
    assert "<<<SOURCE-" in row.prompt[-1]["content"]
    assert read_rows(data, name="rows.jsonl", kind="raft").proposals[0].key == row.key


def test_csv_of_a_spreadsheet_is_read() -> None:
    data = '\ufeffinstruction;context;output\n"Say\nhi";;Hello\n;x;y\n'.encode()
    read = read_rows(data, name="rows.csv", kind="instruction")
    assert [row.completion for row in read.proposals] == ["Hello"]
    assert [(bad.line, bad.why[:7]) for bad in read.errors] == [(4, "It has ")]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{broken", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ({"question": "What?"}, "neither “messages”"),
        ({"prompt": "What?"}, "“completion” is missing"),
        ({"prompt": "What?", "completion": 7}, "“completion” is no text"),
        ({"prompt": "What?", "completion": " "}, "“completion” is empty"),
        ({"messages": "no"}, "no list of messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "the role “tool”"),
        ({"messages": [{"role": "user", "content": "x"}]}, "must be the assistant’s"),
        ({"prompt": "x" * 200_001, "completion": "y"}, "at most 200,000"),
        ('{"prompt": "x", "completion": "\\u0000"}', "cannot be stored"),
        ('{"prompt": "x", "completion": "\\ud800"}', "cannot be stored"),
    ],
)  # fmt: skip
def test_bad_line_is_named_and_the_others_are_taken(row: Any, why: str) -> None:
    read = read_rows(lines({"prompt": "a", "completion": "b"}, row), name="rows.jsonl", kind="instruction")
    assert [each.completion for each in read.proposals] == ["b"]
    assert [(bad.line, why in bad.why) for bad in read.errors] == [(2, True)], read.errors


def test_file_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(UploadRefused, match="larger than 20 MB"):
        read_rows(b"x" * (MOST_BYTES + 1), name="big.jsonl", kind="raft")
    with pytest.raises(UploadRefused, match="byte 1 cannot be read"):
        read_rows(b"a\xff", name="odd.jsonl", kind="raft")
    with pytest.raises(UploadRefused, match="holds no rows"):
        read_rows(b"\n\n", name="empty.jsonl", kind="raft")
