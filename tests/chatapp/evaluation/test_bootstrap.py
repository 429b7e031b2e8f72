from __future__ import annotations

import numpy as np
import pytest

from chatapp.evaluation import bootstrap
from chatapp.evaluation.bootstrap import Figure, chances, differences, intervals


def rates(questions: int, *shares: float, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.random((questions, len(shares))) < np.array(shares)).astype(np.float64)


def test_interval_is_that_of_a_share() -> None:
    values = rates(400, 0.5, 0.9)
    for column, figure in zip(values.T, intervals(values), strict=True):
        spread = 1.96 * np.sqrt(column.mean() * (1 - column.mean()) / 400)
        assert figure.value == column.mean()
        assert figure.high - figure.value == pytest.approx(spread, rel=0.1)
        assert figure.value - figure.low == pytest.approx(spread, rel=0.1)


def test_same_values_same_interval() -> None:
    values = np.random.default_rng(3).random((50, 1))
    assert intervals(values) == intervals(values.copy())
    assert intervals(values, seed=2) != intervals(values)


def test_blocks_of_samples_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    values = rates(30, 0.3, 0.6)
    whole = intervals(values, samples=100)
    monkeypatch.setattr(bootstrap, "_CELLS", 30 * 7)
    assert intervals(values, samples=100) == whole
    monkeypatch.setattr(bootstrap, "_CELLS", 1)  # less than one sample fits
    assert intervals(values, samples=100) == whole


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        figure = intervals(rates(150, 0.7, seed=seed), samples=400)[0]
        held += figure.low <= 0.7 <= figure.high
    assert 0.9 <= held / 200 <= 0.99


def test_no_question_and_one_question() -> None:
    assert intervals(np.zeros((0, 2))) == [Figure(0.0, 0.0, 0.0)] * 2
    assert intervals(np.ones((1, 1))) == [Figure(1.0, 1.0, 1.0)]


def test_a_run_against_itself_differs_in_nothing() -> None:
    values = rates(80, 0.4, 0.8)
    assert differences(values, values) == [Figure(0.0, 0.0, 0.0)] * 2


def test_pairs_show_what_two_intervals_hide() -> None:
    before = rates(300, 0.5)
    after = before.copy()
    after[np.flatnonzero(before[:, 0])[:12], 0] = 0.0  # twelve questions fewer
    alone, now = intervals(before)[0], intervals(after)[0]
    assert now.high > alone.low  # they overlap
    found = differences(before, after)[0]
    assert found.value == pytest.approx(-12 / 300)
    assert found.high < 0


def test_a_single_lost_question_is_no_finding() -> None:
    before = np.ones((40, 1))
    after = before.copy()
    after[3] = 0.0
    assert differences(before, after)[0].high == 0.0


def test_runs_of_other_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="runs of different questions"):
        differences(np.zeros((3, 1)), np.zeros((2, 1)))


def test_a_chance_is_small_where_questions_agree_and_one_where_nothing_differs() -> None:
    before = np.zeros((100, 3))
    after = np.zeros((100, 3))
    after[:30, 0] = 1.0  # 30 better, none worse
    after[:6, 1], before[6:11, 1] = 1.0, 1.0  # 6 better, 5 worse
    sure, unsure, same = chances(before, after)
    assert sure < 0.001
    assert 0.6 < unsure < 1.0
    assert same == 1.0
    assert chances(before[:0], after[:0]) == [1.0, 1.0, 1.0]
    assert chances(after, before) == pytest.approx([sure, unsure, same], abs=0.05)
    with pytest.raises(ValueError, match="different questions"):
        chances(before, after[:50])


def test_a_chance_is_that_of_the_sign_test_where_that_is_known() -> None:
    """8 better and 2 worse of 40: McNemar's exact test gives .109."""
    before, after = np.zeros((40, 1)), np.zeros((40, 1))
    after[:8], before[8:10] = 1.0, 1.0
    assert chances(before, after)[0] == pytest.approx(0.08, abs=0.04)
