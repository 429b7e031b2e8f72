"""What calibrating the chance of an answer does to a knowledge base, judged on questions that were not fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from chatapp.evaluation.labelled import UnusableSet, read
from chatapp.evaluation.metrics import auroc
from knowledge.retrieval.calibration import Curve, brier, fit

__all__ = ["Calibration", "LabelledQuestion", "calibrated", "read_questions"]

FOLDS = 5
Shares: TypeAlias = tuple[float, float]
"""Of the answered those that keep their answer, of the unanswered those that are refused."""

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledQuestion:
    text: str
    answerable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A curve, and how good the chances are without and with one."""

    curve: Curve  # fitted on all questions
    answered: int
    unanswered: int
    auroc: float
    brier_before: float
    brier_after: float  # of curves fitted on the other folds
    kept: tuple[tuple[float, Shares, Shares], ...]
    """``(threshold, shares without the curve, shares with it)``."""

    def lines(self) -> Iterator[str]:
        yield f"{self.answered} questions with an answer, {self.unanswered} without."
        yield f"The chance tells them apart with an AUROC of {self.auroc:.3f}; a curve cannot change that."
        yield (
            f"Brier score {self.brier_before:.3f}, with a curve {self.brier_after:.3f} (on questions the curve was not "
            "fitted on; 0 is best)."
        )
        yield "              without the curve   with it"
        yield "least_chance   kept  refused    kept  refused"
        for threshold, before, after in self.kept:
            yield f"{threshold:>12.2f}  {before[0]:.3f}  {before[1]:>7.3f}   {after[0]:.3f}  {after[1]:>7.3f}"
        yield "kept: of the questions with an answer; refused: of those without."


def read_questions(path: Path) -> list[LabelledQuestion]:
    """Return the questions of a file of JSON lines: ``text`` and ``answerable``, which is true unless it says false.

    :raises UnusableSet: the file cannot be read, or a row is no such row.
    """
    found = []
    for number, row in enumerate(read(path), start=1):
        text, answerable = row.get("text"), row.get("answerable", True)
        if not isinstance(text, str) or not text.strip() or not isinstance(answerable, bool):
            raise UnusableSet(f'{path}, question {number}: it needs a "text" and may say "answerable": true or false.')
        found.append(LabelledQuestion(text=text, answerable=answerable))
    return found


def calibrated(answered: Sequence[float], unanswered: Sequence[float]) -> Calibration:
    """Fit a curve and judge it. The thresholds are read after the curve, each question with that of the other folds.

    :raises TooFewQuestions: there are too few of a kind.
    """
    curve = fit(answered, unanswered)
    with_answer, without = _across(answered, unanswered)
    return Calibration(
        curve=curve, answered=len(answered), unanswered=len(unanswered), auroc=auroc(answered, unanswered)[0],
        brier_before=brier(answered, unanswered), brier_after=brier(with_answer, without),
        kept=tuple((t, _shares(answered, unanswered, t), _shares(with_answer, without, t)) for t in THRESHOLDS),
    )  # fmt: skip


def _across(answered: Sequence[float], unanswered: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the chances after curves that were fitted on other questions: every fifth is judged by the rest."""
    found: tuple[list[float], list[float]] = ([], [])
    for fold in range(FOLDS):
        curve = fit(_without(answered, fold), _without(unanswered, fold), fewest=1)
        for chances, values in zip(found, (answered, unanswered), strict=True):
            chances.extend(curve.of(value) for value in values[fold::FOLDS])
    return found


def _without(values: Sequence[float], fold: int) -> list[float]:
    return [value for at, value in enumerate(values) if at % FOLDS != fold]


def _shares(answered: Sequence[float], unanswered: Sequence[float], threshold: float) -> Shares:
    kept = sum(chance >= threshold for chance in answered) / len(answered)
    return kept, sum(chance < threshold for chance in unanswered) / len(unanswered)
