from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.reader import aligning
from chatapp.reader.aligning import Budget, align

letters = st.text(alphabet="abcd", max_size=14)


def longest(old: str, new: str) -> int:
    """The length of a longest common subsequence, by the textbook."""
    rows = [[0] * (len(new) + 1)]
    for a in old:
        row = [0]
        for j, b in enumerate(new):
            row.append(rows[-1][j] + 1 if a == b else max(rows[-1][j + 1], row[-1]))
        rows.append(row)
    return rows[-1][-1]


def check(old: str | list[str], new: str | list[str], pairs: list[tuple[int, int]]) -> None:
    assert all(old[i] == new[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))


@settings(max_examples=300)
@given(letters, letters)
def test_without_anchors_it_is_a_longest_common_subsequence(old: str, new: str) -> None:
    found = [*aligning._exact(old, new, (0, len(old), 0, len(new)), Budget())]
    check(old, new, sorted(found))
    assert len(found) == longest(old, new)


@settings(max_examples=300)
@given(st.text(alphabet="abcdefghij", max_size=20), st.text(alphabet="abcdefghij", max_size=20))
def test_what_is_paired_is_the_same_and_rises(old: str, new: str) -> None:
    budget = Budget()
    check(old, new, align(old, new, budget=budget))
    assert not budget.exceeded
    assert align(old, old, budget=budget) == [(i, i) for i in range(len(old))]


def test_unique_items_hold_the_sides_together() -> None:
    old = ["{", "a", "}", "{", "b", "}"]
    new = ["{", "new", "}", "{", "a", "}", "{", "b", "}"]
    assert align(old, new, budget=Budget()) == [(0, 0), (1, 4), (2, 5), (3, 6), (4, 7), (5, 8)]


def test_beyond_the_budget_nothing_is_paired_and_that_is_said() -> None:
    old, new = "ab" * 50, "ba" * 50
    poor = Budget(cells=100)
    assert align(old, new, budget=poor) == []
    assert poor.exceeded
    blind = Budget(items=3)
    check("xay", "xby", align("xay", "xby", budget=blind))
    assert len(align("abcd", "dcba", budget=Budget(items=3, cells=0))) == 0


@pytest.mark.parametrize("turned", [False, True])
def test_few_words_against_very_many_take_no_time(turned: bool) -> None:
    chance = random.Random(7)
    few, many = ([str(chance.randrange(40)) for _ in range(size)] for size in (60, 400_000))
    old, new = (many, few) if turned else (few, many)
    budget = Budget()
    began = time.process_time()
    pairs = align(old, new, budget=budget)
    assert time.process_time() - began < 2
    check(old, new, pairs)
    assert len(pairs) == 60
    assert not budget.exceeded
    assert budget.cells < Budget().cells - 60 * 390_000 - 390_000  # the way back is paid for, too


@pytest.mark.parametrize("alphabet", [2, 50, 10**6])
def test_time_is_bounded_whatever_the_items(alphabet: int) -> None:
    chance = random.Random(7)
    old, new = ([str(chance.randrange(alphabet)) for _ in range(50_000)] for _ in range(2))
    began = time.process_time()
    check(old, new, align(old, new, budget=Budget()))
    assert time.process_time() - began < 8
