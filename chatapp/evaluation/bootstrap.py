"""How sure a mean is, and whether two means differ: by drawing questions anew (Efron and Tibshirani 1993)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLES = 4_000
SEED = 20_251_125
LEVEL = 0.95

_CELLS = 4_000_000  # counts held at a time: 32 MB

Values = npt.NDArray[np.float64]
"""``(questions, measures)``."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over questions with the limits of its 95 % interval."""

    value: float
    low: float
    high: float


def intervals(values: Values, *, seed: int = SEED, samples: int = SAMPLES) -> list[Figure]:
    """Return the mean of each column with the percentile interval of its bootstrap; the same for the same input."""
    if not len(values):
        return [Figure(0.0, 0.0, 0.0)] * values.shape[1]
    means = np.concatenate([counts @ values / len(values) for counts in _draws(len(values), samples, seed)])
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(means, (tail, 100 - tail), axis=0)
    return [Figure(*map(float, column)) for column in zip(values.mean(axis=0), low, high, strict=True)]


def differences(before: Values, after: Values, *, seed: int = SEED, samples: int = SAMPLES) -> list[Figure]:
    """Return the mean of ``after - before`` of the same questions in the same order, with its interval.

    Paired: what makes a question hard is the same in both runs and cancels out (Sakai 2006, Evaluating
    Evaluation Metrics based on the Bootstrap). A difference is significant when its interval leaves 0 out.
    """
    if before.shape != after.shape:
        raise ValueError(f"runs of different questions: {before.shape} and {after.shape}")
    return intervals(after - before, seed=seed, samples=samples)


def chances(before: Values, after: Values, *, seed: int = SEED, samples: int = SAMPLES) -> list[float]:
    """Return for each column how likely such a difference of the means is where there is none (a two-sided p value).

    Paired as in ``differences``, by the bootstrap of the differences moved to a mean of 0 (Efron and Tibshirani 1993,
    chapter 16).
    """
    if before.shape != after.shape:
        raise ValueError(f"runs of different questions: {before.shape} and {after.shape}")
    if not len(before):
        return [1.0] * before.shape[1]
    found = after - before
    mean = found.mean(axis=0)
    means = np.concatenate([counts @ (found - mean) / len(found) for counts in _draws(len(found), samples, seed)])
    as_far = (np.abs(means) >= np.abs(mean) - 1e-12).sum(axis=0)
    return [float(value) for value in (as_far + 1) / (samples + 1)]


def _draws(questions: int, samples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """Yield ``(some samples, questions)``: how often each question was drawn."""
    random = np.random.default_rng(seed)
    block = max(1, _CELLS // questions)
    for at in range(0, samples, block):
        drawn = random.multinomial(questions, np.full(questions, 1 / questions), size=min(block, samples - at))
        yield drawn.astype(np.float64)
