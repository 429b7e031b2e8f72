from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from knowledge.retrieval.assemble import assemble
from knowledge.retrieval.base import DEFAULT
from knowledge.types import Passage, Query

NO_FLOOR = replace(DEFAULT, floor=0.0)
TEXT = "".join(chr(97 + i % 26) + str(i) for i in range(3_000))


def passage(start: int, end: int, *, score: float = 0.5, **values: Any) -> Passage:
    made = Passage(
        key=f"{start}-{end}", document="d", version_id="v", version=1, knowledge_base="k", title="T",
        heading_path=("A", "B"), page_first=1 + start // 1_000, page_last=1 + end // 1_000, start=start, end=end,
        text=TEXT[start:end], tokens=(end - start) // 4, score=score,
    )  # fmt: skip
    return replace(made, **values)


def run(*passages: Passage, texts: Any = lambda version: TEXT, **values: Any) -> list[tuple[int, int]]:
    ranked = sorted(passages, key=lambda p: -p.score)
    query = Query(text="q", **values)
    return [(p.start, p.end) for p in assemble(ranked, query=query, profile=NO_FLOOR, texts=texts)]


def test_contained_range_is_dropped_but_overlap_is_kept() -> None:
    assert run(passage(0, 100, score=0.9), passage(10, 50), passage(60, 150, score=0.4)) == [(0, 100), (60, 150)]


def test_copy_from_another_document_is_dropped() -> None:
    copy = passage(0, 100, score=0.4, version_id="other", key="other")
    assert run(passage(0, 100), copy) == [(0, 100)]
    unlike = replace(copy, text="different")
    assert run(passage(0, 100), unlike) == [(0, 100), (0, 100)]


def test_limit_counts_what_is_returned() -> None:
    passages = [passage(i * 100, i * 100 + 50, score=1 - i / 10) for i in range(6)]
    assert run(*passages, limit=2) == [(0, 50), (100, 150)]


def test_token_budget_is_kept_and_filled_with_shorter_ones() -> None:
    long, longer, short = passage(0, 400, score=0.9), passage(500, 1_000, score=0.8), passage(1_100, 1_200)
    assert run(long, longer, short, token_budget=130) == [(0, 400), (1_100, 1_200)]


def test_best_passage_above_the_budget_is_cut_to_it_and_nothing_follows() -> None:
    assert run(passage(0, 400, score=0.9), passage(500, 520), token_budget=10) == [(0, 40)]


def test_budget_counts_the_text_between_merged_neighbours() -> None:
    near = passage(0, 400, score=0.6), passage(440, 800, score=0.9)
    assert run(*near, merge_neighbours=True, token_budget=200) == [(0, 800)]
    assert run(*near, merge_neighbours=True, token_budget=199) == [(440, 800), (0, 400)]


def test_neighbours_are_merged_only_when_asked() -> None:
    near = passage(0, 400, score=0.6), passage(440, 800, score=0.9)
    assert run(*near) == [(440, 800), (0, 400)]
    assert run(*near, merge_neighbours=True) == [(0, 800)]


def test_merged_passage_reads_as_the_document_does() -> None:
    query = Query(text="q", merge_neighbours=True)
    parts = [passage(440, 800, score=0.9, heading_path=("A", "C")), passage(0, 400, score=0.6)]
    (merged,) = assemble(parts, query=query, profile=NO_FLOOR, texts=lambda version: TEXT)
    assert merged.text == TEXT[0:800]
    assert (merged.key, merged.score, merged.heading_path) == ("440-800", 0.9, ("A",))
    assert (merged.page_first, merged.page_last, merged.tokens) == (1, 1, 200)


def test_far_foreign_and_oversized_neighbours_stay_apart() -> None:
    for one, two in (
        (passage(0, 400), passage(481, 800)),
        (passage(0, 400), passage(410, 800, version_id="other")),
        (passage(0, 900), passage(910, 1_360)),
    ):
        assert len(run(one, two, merge_neighbours=True)) == 2


def test_gap_that_cannot_be_read_is_not_invented() -> None:
    assert len(run(passage(0, 400), passage(440, 800), merge_neighbours=True, texts=None)) == 2
    assert len(run(passage(0, 400), passage(440, 800), merge_neighbours=True, texts=lambda version: "short")) == 2
    assert run(passage(0, 400), passage(400, 800), merge_neighbours=True, texts=None) == [(0, 800)]
    assert run(passage(0, 400), passage(300, 800), merge_neighbours=True, texts=None) == [(0, 800)]


def test_three_neighbours_in_any_order_become_one() -> None:
    parts = passage(0, 300, score=0.9), passage(620, 900, score=0.8), passage(310, 610, score=0.7)
    assert run(*parts, merge_neighbours=True) == [(0, 900)]


ranges = st.lists(st.tuples(st.integers(0, 2_000), st.integers(8, 600), st.floats(0, 1)), min_size=1, max_size=12)


@given(ranges, st.booleans())
def test_every_passage_is_a_range_of_the_document(drawn: list[tuple[int, int, float]], merge: bool) -> None:
    parts = sorted(
        (passage(start, start + length, score=score) for start, length, score in drawn), key=lambda p: -p.score
    )
    found = assemble(
        parts, query=Query(text="q", limit=50, merge_neighbours=merge), profile=NO_FLOOR, texts=lambda version: TEXT
    )
    assert all(p.text == TEXT[p.start : p.end] for p in found)
    assert all(one.score >= two.score for one, two in pairwise(found))
    covered = {i for p in found for i in range(p.start, p.end)}
    wanted = {i for p in parts for i in range(p.start, p.end)}
    assert covered >= wanted if merge else covered == wanted  # merging adds the text between
