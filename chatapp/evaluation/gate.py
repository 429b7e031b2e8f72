"""Whether retrieval became worse than it was: the same questions, paired, against an earlier run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chatapp.evaluation.bootstrap import Figure, Values, differences
from chatapp.evaluation.metrics import MEASURES
from chatapp.evaluation.runner import WHOLE, Measured

__all__ = ["Change", "UnusableBaseline", "compare", "read_baseline"]


class UnusableBaseline(ValueError):
    """A file holds no earlier run, or one of other questions; the message says so in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One measure of one question set, before and now, over the questions that both runs asked."""

    name: str
    measure: str
    questions: int
    before: float
    now: float
    difference: Figure

    @property
    def fell(self) -> bool:
        """Whether the 95 % interval of the difference lies below 0."""
        return self.difference.high < 0

    @property
    def rose(self) -> bool:
        return self.difference.low > 0

    def words(self) -> str:
        by = f"{-self.difference.value:.3f} [{-self.difference.high:.3f}, {-self.difference.low:.3f}]"
        return (
            f"{self.name}: {self.measure} fell from {self.before:.3f} to {self.now:.3f}, "
            f"by {by} over {self.questions} questions."
        )


Baseline = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Question set -> question id -> measure -> score."""


def read_baseline(path: Path) -> Baseline:
    """Read the JSON of an earlier run.

    :raises UnusableBaseline: it is none.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableBaseline(f"The baseline {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UnusableBaseline(f"The baseline {path} is not JSON.") from error
    try:
        return {
            row["name"]: {
                question: dict(zip(data["measures"], map(float, values), strict=True))
                for question, values in row["scores"].items()
            }
            for row in data["sets"]
            if row["settings"] == WHOLE
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableBaseline(f"The baseline {path} was not written by `evaluate retrieval --json`.") from error


def compare(baseline: Baseline, measured: Sequence[Measured]) -> list[Change]:
    """Return the change of every measure of every question set that both runs have.

    :raises UnusableBaseline: they have no question in common.
    """
    changes: list[Change] = []
    for now in measured:
        before = baseline.get(now.name, {})
        common = [question for question in now.scores if question in before]
        if now.settings == WHOLE and common:
            changes += _changes(now, before, common)
    if not changes:
        raise UnusableBaseline("The baseline has none of the questions that were asked now.")
    return changes


def _changes(now: Measured, before: Mapping[str, Mapping[str, float]], common: Sequence[str]) -> list[Change]:
    measures = [m for m in MEASURES if all(m in before[question] for question in common)]
    places = [MEASURES.index(measure) for measure in measures]
    # Rounded as the file is, so that a run against itself differs in nothing.
    values: Values = np.array([now.scores[question] for question in common], dtype=np.float64)[:, places].round(6)
    earlier: Values = np.array([[before[question][m] for m in measures] for question in common], dtype=np.float64)
    found = differences(earlier, values)
    return [
        Change(
            name=now.name, measure=measure, questions=len(common), before=float(earlier[:, i].mean()),
            now=float(values[:, i].mean()), difference=found[i],
        )
        for i, measure in enumerate(measures)
    ]  # fmt: skip
