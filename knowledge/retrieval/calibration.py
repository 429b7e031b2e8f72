"""The chance of an answer, set right for one knowledge base by questions of which it is known whether it answers them.

The chance that ``answerable`` gives is fitted on development sets and is one scale for all. How much a cosine of 0.6
says depends on the documents: where all of them treat one matter, every question about it is near to some passage. A
curve of two numbers lays that scale onto one base (Platt 1999, "Probabilistic outputs for support vector machines").
It keeps the order of the chances, so it tells no better what is answered; it says how likely that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST", "Curve", "TooFewQuestions", "brier", "fit", "logistic"]

Numbers = npt.NDArray[np.float64]

FEWEST = 10
"""Questions of each kind. With fewer, what is fitted is chance."""

PRIOR = 0.25
"""Weight of the one scale for all: as if a slope of 1 and a constant of 0 had been seen with a deviation of 2."""

LEAST, STEPS = 1e-4, 100


class TooFewQuestions(ValueError):
    """There are not enough questions of one kind; the message says so in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """``log odds = slope * log odds + intercept``."""

    slope: float
    intercept: float

    def of(self, chance: float) -> float:
        """Return the chance on this base, 0..1, of one on the scale for all; where nothing was found it stays 0."""
        return 1 / (1 + exp(-(self.slope * _log_odds(chance) + self.intercept))) if chance > 0 else 0.0


def fit(answered: Sequence[float], unanswered: Sequence[float], *, fewest: int = FEWEST) -> Curve:
    """Return the curve of a base from the chances of questions that it answers and of questions that it does not.

    The chances it gives are those of questions mixed as these are. The slope is never negative: a base on which the
    chance says nothing gets a flat curve, not an upside down one. Questions for which nothing was found are left out:
    their chance is 0 with every curve.

    :raises TooFewQuestions: fewer than ``fewest`` of a kind.
    """
    answered, unanswered = ([chance for chance in chances if chance > 0] for chances in (answered, unanswered))
    if min(len(answered), len(unanswered)) < fewest:
        raise TooFewQuestions(
            f"Something was found for {len(answered)} questions with an answer and {len(unanswered)} without: "
            f"at least {fewest} of each are needed."
        )
    x = np.array([[_log_odds(chance), 1.0] for chance in (*answered, *unanswered)])
    # Smoothed targets (Platt 1999, section 2.2): a few questions that are told apart entirely prove no certainty.
    yes, no = (len(answered) + 1) / (len(answered) + 2), 1 / (len(unanswered) + 2)
    y = np.array([yes] * len(answered) + [no] * len(unanswered))
    weights = logistic(x, y, penalty=np.array([PRIOR, PRIOR]), around=np.array([1.0, 0.0]))
    if weights[0] < 0:
        share = float(y.mean())
        return Curve(slope=0.0, intercept=log(share / (1 - share)))
    return Curve(slope=float(weights[0]), intercept=float(weights[1]))


def logistic(x: Numbers, y: Numbers, *, penalty: Numbers, around: Numbers) -> Numbers:
    """Return the weights of a logistic regression by Newton's method.

    ``x`` is ``(n, k)``, ``y`` ``(n,)`` from 0 to 1; half of ``penalty`` ``(k,)`` times the squared distance of the
    weights from ``around`` ``(k,)`` is added to the summed loss.
    """
    weights = around
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (p - y) + penalty * (weights - around)
        change = np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + np.diag(penalty), slope)
        # At most one at a time: far from the minimum a whole step may lead further away.
        weights = weights - change / max(1.0, float(np.abs(change).max()))
        if np.abs(change).max() < 1e-9:
            break
    return weights


def brier(answered: Sequence[float], unanswered: Sequence[float]) -> float:
    """Return the mean squared distance of the chances from what was the case (Brier 1950): 0 is best, 1 worst."""
    off = [(1 - chance) ** 2 for chance in answered] + [chance**2 for chance in unanswered]
    return sum(off) / len(off)


def _log_odds(chance: float) -> float:
    kept = min(1 - LEAST, max(LEAST, chance))
    return log(kept / (1 - kept))
