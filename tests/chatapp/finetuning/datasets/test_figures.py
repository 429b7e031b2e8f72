"""Personal data, lengths, gates, the division by document, labels of completions."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatapp.answering.lines import NO_ANSWER
from chatapp.finetuning.datasets.completions import marked, refusal
from chatapp.finetuning.datasets.gates import gate_of, next_gate
from chatapp.finetuning.datasets.lengths import Limits, counter, tokens_of, too_long
from chatapp.finetuning.datasets.personal import hints
from chatapp.finetuning.datasets.shapes import kind_of, question_of, row_key
from chatapp.finetuning.datasets.splitting import grouped, split_of


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Write to jane.doe@example.org.", ["e-mail address"]),
        ("Call +49 30 901820 or 030 / 90 18 20.", ["telephone number", "telephone number"]),
        ("IBAN DE89 3704 0044 0532 0130 00", ["IBAN"]),
        ("IBAN DE89 3704 0044 0532 0130 01", []),
        ("Card 4111 1111 1111 1111", ["payment card"]),
        ("Card 4111 1111 1111 1112", []),
        ("SSN 123-45-6789, NI QQ 12 34 56 C, NI AB 12 34 56 C", ["social security number", "national insurance number"]),
        ("Steuer-ID 86 095 742 719", ["tax number"]),
        ("In 2024, 1,250 of 30,000 members paid 49.90 on 2024-11-27 at 18:00.", []),
        ("Room 0.12 is open; version 3.11.4; 100 000 000 rows", []),
    ],
)  # fmt: skip
def test_personal_data_is_hinted_at_and_numbers_are_not(text: str, kinds: list[str]) -> None:
    assert [hint.kind for hint in hints(text)] == kinds


def test_rows_that_share_a_document_share_their_group() -> None:
    groups = grouped([["a"], ["b", "c"], ["c", "d"], ["d"], ["e"]])
    assert groups == ["a", "b", "b", "b", "e"]


def test_division_is_by_group_and_moves_nobody_when_others_come() -> None:
    names = [f"document {number}" for number in range(400)]
    first = split_of(names, seed=1)
    held = sum(split == "eval" for split in first.values()) / len(names)
    assert 0.1 < held < 0.2
    later = split_of([*names, *(f"new {number}" for number in range(100))], seed=1)
    assert all(later[name] == first[name] for name in names)
    assert split_of(names, seed=2) != first


@pytest.mark.parametrize("count", [2, 3, 10])
def test_few_groups_are_on_both_sides(count: int) -> None:
    for seed in range(50):
        assert set(split_of([f"g{number}" for number in range(count)], seed=seed).values()) == {"train", "eval"}
    assert set(split_of(["only"], seed=3).values()) <= {"train", "eval"}


@pytest.mark.parametrize(
    ("rows", "name", "following"),
    [(0, "Style only, experimental", 50), (49, "Style only, experimental", 50), (50, "A first effect", 200),
     (200, "Citation format", 500), (499, "Citation format", 500), (500, "Answers over passages", None)],
)  # fmt: skip
def test_gates_by_count(rows: int, name: str, following: int | None) -> None:
    found = next_gate(rows)
    assert gate_of(rows).name == name
    assert (found.rows if found else None) == following


def test_labels_stand_before_the_last_mark_of_each_statement() -> None:
    text = "Guests register. They pay 4.50 euros! Is that all? See the list [S3]."
    assert marked(text, lambda words: "S1" if "register" in words else "S2") == (
        "Guests register [S1]. They pay 4.50 euros [S2]! Is that all? See the list [S3]."
    )
    assert marked("No full stop", lambda _: "S1") == "No full stop [S1]"


def test_refusal_is_the_line_of_the_contract_in_the_language_of_the_question() -> None:
    assert refusal("Where can I park?") == f"{NO_ANSWER}\nThe sources do not say: Where can I park?"
    assert refusal("Wo kann ich als Besucher mein Auto abstellen").startswith(f"{NO_ANSWER}\nDie Quellen")


def test_long_rows_are_told_and_never_cut() -> None:
    prompt = [{"role": "user", "content": "x" * 400}]
    whole, answer = tokens_of(prompt, "y" * 40, counter(None))
    assert (whole, answer) == (100 + 10 + 16, 18)
    assert too_long(whole, answer, Limits(window=126, output=18)) == ""
    assert "do not fit the window of 125" in too_long(whole, answer, Limits(window=125, output=18))
    assert "at most 17" in too_long(whole, answer, Limits(window=126, output=17))


def test_tokenizer_of_a_base_model_counts_where_it_is_there(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert counter(tmp_path)(["a a b", "a"]) == [3, 1]
    assert counter(tmp_path / "nowhere")(["abcd"]) == [1]


def test_key_is_of_prompt_and_completion_alone() -> None:
    prompt = [{"role": "user", "content": "Hé?"}]
    assert row_key(prompt, "Ja.") == row_key([{"content": "Hé?", "role": "user"}], "Ja.")
    assert row_key(prompt, "Ja.") != row_key(prompt, "Nein.")
    assert (question_of(prompt), kind_of(prompt, "Ja.")) == ("Hé?", "instruction")
