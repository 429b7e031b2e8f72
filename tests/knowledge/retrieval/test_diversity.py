from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from made_passages import passage

from knowledge.retrieval.diversity import spread

ONE = passage("text")


def named(documents: str) -> list[str]:
    return [f"{document}{place}" for place, document in enumerate(documents)]


def order(documents: str, limit: int) -> list[str]:
    ranked = [replace(ONE, document=name[0], key=name) for name in named(documents)]
    return [p.key for p in spread(ranked, per_document=limit)]


def test_what_is_beyond_the_limit_of_its_document_follows() -> None:
    assert order("aaabab", 2) == ["a0", "a1", "b3", "b5", "a2", "a4"]


@given(st.text(alphabet="abc", max_size=20), st.integers(0, 25))
def test_nothing_is_lost_and_no_limit_changes_nothing(documents: str, limit: int) -> None:
    assert sorted(order(documents, limit)) == sorted(named(documents))
    assert order(documents, 0) == named(documents)
    first = order(documents, limit)[: len(set(documents))]
    assert limit != 1 or len({name[0] for name in first}) == len(set(documents))
