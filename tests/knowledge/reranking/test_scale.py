from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.reranking.scale import UnitScale

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_scores_inside_stay_as_they_are() -> None:
    assert UnitScale()([0.0, 0.25, 1.0]) == [0.0, 0.25, 1.0]


def test_rounding_is_no_logit() -> None:
    scale = UnitScale()
    assert scale([1.0000001, -0.0000001]) == [1.0, 0.0]
    assert not scale.logits


def test_logits_go_through_the_logistic_function() -> None:
    assert UnitScale()([2.0, 0.0, -2.0]) == pytest.approx([0.880797, 0.5, 0.119203], abs=1e-6)


def test_model_that_gave_logits_once_is_read_as_such_ever_after() -> None:
    scale = UnitScale()
    scale([7.0])
    assert scale([0.0]) == [0.5]


@given(st.lists(FINITE, min_size=1))
def test_any_number_ends_between_0_and_1_in_the_same_order(raw: list[float]) -> None:
    scaled = UnitScale()(raw)
    assert all(0 <= value <= 1 for value in scaled)
    ordered = [value for _, value in sorted(zip(raw, scaled, strict=True))]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(odd: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        UnitScale()([0.5, odd])


def test_nothing_gives_nothing() -> None:
    assert UnitScale()([]) == []
