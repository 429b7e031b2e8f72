from __future__ import annotations

import pytest

from knowledge.retrieval.fuse import fuse


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 0.8), (0.5, 0.5), (1.0, 0.2)])
def test_scores_are_added_by_weight(weight: float, expected: float) -> None:
    assert fuse({"a": 0.2}, {"a": 0.8}, keyword_weight=weight) == {"a": pytest.approx(expected)}


def test_missing_keyword_score_counts_as_nothing() -> None:
    assert fuse({"a": 1.0}, {"a": 0.0, "b": 1.0}, keyword_weight=0.5) == {"a": 0.5, "b": 0.5}


def test_without_a_cosine_the_keyword_score_stands_alone() -> None:
    assert fuse({"a": 0.3, "b": 0.3}, {"b": 0.3}, keyword_weight=0.5) == {"a": 0.3, "b": pytest.approx(0.3)}


def test_cosines_outside_the_unit_range_are_clipped() -> None:
    assert fuse({}, {"a": -0.4, "b": 1.0000002}, keyword_weight=0.5) == {"a": 0.0, "b": 0.5}
