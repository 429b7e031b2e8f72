"""Copies among thousands of texts, whatever the order; figures of the wide case are in docs/fine-tuning.md."""

from __future__ import annotations

import random
import time

from chatapp.finetuning.datasets.near import alike_between, alike_within, overlap, shingles

WORDS = [f"word{number}" for number in range(3_000)]


def texts(count: int, *, seed: int = 1) -> list[str]:
    drawn = random.Random(seed)
    return [" ".join(drawn.choice(WORDS) for _ in range(60)) for _ in range(count)]


def changed(text: str) -> str:
    words = text.split()
    return " ".join([*words[:30], "another", *words[31:]])


def test_near_copies_are_found_among_five_thousand_rows_and_nothing_else() -> None:
    rows = texts(4_800)
    rows += [changed(text) for text in rows[:200]]
    began = time.perf_counter()
    found = alike_within(rows)
    seconds = time.perf_counter() - began
    assert {(a, b) for a, b, _ in found} == {(number, 4_800 + number) for number in range(200)}
    assert seconds < 20, seconds  # .6 s on the machine it was written on


def test_case_spacing_and_punctuation_make_no_other_text() -> None:
    assert alike_within(["When is  it open?", "when is it open", "Who may enter?"]) == [(0, 1, 1.0)]


def test_short_questions_differ_by_a_word() -> None:
    assert alike_within(["Who may use the gym?", "Who may use the pool?"]) == []


def test_best_other_text_is_named() -> None:
    others = ["How long may a locker be kept by a member of the club?", "How long may a locker be kept by a member?"]
    found = alike_between(["How long may a locker be kept by a member"], others, least=0.7)
    assert found == {0: (1, 1.0)}


def test_empty_texts_are_like_nothing() -> None:
    assert alike_within(["", "", "?!"]) == []
    assert overlap(shingles(""), shingles("a b c")) == 0.0
