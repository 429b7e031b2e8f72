"""Drift is told where there is some, not where there is none, and never on few questions."""

from __future__ import annotations

import numpy as np
import pytest

from chatapp.finetuning.datasets.drift import compare, ks, psi, significant


def questions(count: int, *, seed: int, words: int = 8, around: int = 0) -> tuple[list[str], np.ndarray]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 16))
    vectors[:, around] += 3
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [" ".join(["w"] * max(1, int(random.poisson(words)))) for _ in range(count)]
    return texts, vectors.astype(np.float32)


def test_other_subjects_and_lengths_drift() -> None:
    found = compare(questions(300, seed=1), questions(300, seed=2, words=14, around=5))
    assert found is not None
    assert {signal.name for signal in found.signals if signal.drifted} == {
        "length", "length_psi", "meaning", "clusters_psi"
    }  # fmt: skip


def test_same_questions_do_not_drift() -> None:
    alarms = [
        signal.name
        for seed in range(10)
        for signal in compare(questions(250, seed=seed), questions(250, seed=100 + seed)).signals  # type: ignore[union-attr]
        if signal.drifted
    ]
    assert len(alarms) <= 2, alarms  # of forty, at a rate of 5 %


def test_few_questions_raise_no_alarm_and_fewer_give_no_figure() -> None:
    found = compare(questions(199, seed=1), questions(500, seed=2, words=30, around=5))
    assert found is not None
    assert not found.enough
    assert not found.drifted
    assert found.as_json()["drifted"] is False
    assert compare(questions(19, seed=1), questions(500, seed=2)) is None


def test_figures_are_the_known_ones() -> None:
    assert psi(np.array([50.0, 50.0]), np.array([50.0, 50.0])) == 0
    assert psi(np.array([50.0, 50.0]), np.array([80.0, 20.0])) == pytest.approx(0.4159, abs=1e-4)
    statistic, chance = ks(np.arange(100.0), np.arange(100.0) + 50)
    assert statistic == pytest.approx(0.5)
    assert chance < 1e-9
    assert ks(np.arange(50.0), np.arange(50.0)) == (0.0, 1.0)
    assert significant([0.04, 0.001, 0.9]) == [False, True, False]
    assert significant([0.01, 0.04]) == [True, True]
