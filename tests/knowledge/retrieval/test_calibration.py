from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.retrieval.calibration import FEWEST, PRIOR, Curve, TooFewQuestions, brier, fit


def chances(mean: float, number: int, seed: int = 0) -> list[float]:
    odds = np.random.default_rng(seed).normal(mean, 1, number)
    return [float(chance) for chance in 1 / (1 + np.exp(-odds))]


def test_a_scale_that_reads_too_low_is_raised_and_fits_better() -> None:
    answered, unanswered = chances(0.0, 300), chances(-2.0, 100, seed=1)
    curve = fit(answered, unanswered)
    after = [curve.of(c) for c in answered], [curve.of(c) for c in unanswered]
    assert brier(*after) < 0.6 * brier(answered, unanswered)
    mean = sum(map(sum, after)) / 400
    assert mean == pytest.approx(0.75, abs=0.02)  # the share that has an answer


def test_the_fit_is_the_minimum_of_its_loss() -> None:
    answered, unanswered = chances(0.7, 60), chances(-0.2, 25, seed=1)
    curve = fit(answered, unanswered)

    def loss(slope: float, intercept: float) -> float:
        total = PRIOR / 2 * ((slope - 1) ** 2 + intercept**2)
        for values, target in ((answered, 61 / 62), (unanswered, 1 / 27)):
            for value in values:
                p = 1 / (1 + exp(-(slope * log(value / (1 - value)) + intercept)))
                total -= target * log(p) + (1 - target) * log(1 - p)
        return total

    best = loss(curve.slope, curve.intercept)
    for step in (-0.01, 0.01):
        assert loss(curve.slope + step, curve.intercept) > best
        assert loss(curve.slope, curve.intercept + step) > best


def test_questions_that_are_told_apart_entirely_prove_no_certainty() -> None:
    curve = fit([0.9] * FEWEST, [0.1] * FEWEST)
    assert 0.85 < curve.of(0.9) < 0.99


def test_a_chance_that_says_nothing_becomes_the_share_and_never_turns_round() -> None:
    flat = fit([0.1] * 30, [0.9] * 10)
    assert flat.slope == 0
    assert flat.of(0.1) == flat.of(0.9) == pytest.approx(0.75, abs=0.05)


def test_nothing_found_stays_nothing() -> None:
    assert Curve(slope=1.0, intercept=5.0).of(0.0) == 0.0


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0, 5), st.floats(-9, 9))
def test_the_order_of_chances_is_kept(one: float, two: float, slope: float, intercept: float) -> None:
    curve = Curve(slope=slope, intercept=intercept)
    low, high = sorted((one, two))
    assert 0 <= curve.of(low) <= curve.of(high) <= 1


def test_the_one_scale_is_the_curve_that_changes_nothing() -> None:
    assert Curve(slope=1.0, intercept=0.0).of(0.3) == pytest.approx(0.3)


@pytest.mark.parametrize("sizes", [(FEWEST - 1, 50), (50, FEWEST - 1), (0, 0)])
def test_too_few_questions_are_refused_in_words(sizes: tuple[int, int]) -> None:
    with pytest.raises(TooFewQuestions, match=f"for {sizes[0]} questions with an answer and {sizes[1]} without"):
        fit([0.5] * sizes[0], [0.5] * sizes[1])


def test_the_brier_score_by_hand() -> None:
    assert brier([1.0, 0.5], [0.5, 0.0]) == pytest.approx(0.125)


def test_questions_for_which_nothing_was_found_do_not_bend_the_curve() -> None:
    answered, unanswered = chances(1.0, 30), chances(-1.0, 30, seed=1)
    assert fit([*answered, 0.0, 0.0], [0.0, *unanswered]) == fit(answered, unanswered)
    with pytest.raises(TooFewQuestions):
        fit([0.0] * 20, unanswered)
