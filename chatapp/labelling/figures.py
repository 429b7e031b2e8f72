"""What labels say of a check: the ROC curve, how far people agree, and thresholds that would serve better."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from chatapp.evaluation.metrics import auroc

__all__ = [
    "BOUNDS", "FEWEST_TO_FIT", "FEWEST_TO_SHOW", "Agreement", "Curve", "Fitted", "Marked", "Point", "Quality",
    "TooFewLabels", "agreement", "curve", "fitted", "quality",
]  # fmt: skip

FEWEST_TO_SHOW = 20
"""Sentences of each kind: with fewer the 95 % interval of an AUROC of .8 is wider than .28."""

FEWEST_TO_FIT = 50
"""Sentences of each kind: the standard error of a share is then at most .07, that of balanced accuracy .05. With fewer,
the fitted threshold mostly follows chance."""

BOUNDS = (0.15, 0.65)
"""Thresholds stay between the chances beyond which the check makes no vectors (``verifier.SURE_NOT``, ``SURE``): there
the words alone have told."""

FALSE_ALARMS = 0.05
"""Share of the held sentences that may fall below ``unsupported``."""

FOLDS = 5
BINS = 10


class TooFewLabels(Exception):
    """There are not enough labels of one kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A sentence that people labelled: what the majority says."""

    chance: float
    held: bool
    open: bool  # only the fitted chance decided: thresholds are fitted on these
    at_random: bool
    verdict: str
    judged_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a threshold does: shares of the held and of the others that reach it, 0..1."""

    threshold: float
    held_found: float
    others_let_through: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    held: int
    others: int
    auroc: float
    low: float  # 95 % interval, after DeLong
    high: float
    points: tuple[Point, ...]  # from the strictest threshold, which nothing reaches, to 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Over sentences that several people labelled."""

    sentences: int
    alike: float  # share of the pairs of labels
    alpha: float | None  # Krippendorff's, nominal; None where all labels are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of verdicts; all but ``sentences`` are of the sentences that were drawn at random."""

    sentences: int
    drawn: int
    held: int
    agreed: float  # share whose verdict is supported where people say so, and another where not; 0 where none was drawn
    curve: Curve | None
    balanced: tuple[float, ...]  # accuracy at each threshold; empty where one kind is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    supported: float
    unsupported: float
    held: int
    others: int
    balanced_accuracy: float  # on folds it was not fitted on
    shipped_accuracy: float  # of the threshold it was compared with, on the same


def curve(rows: Sequence[Marked]) -> Curve | None:
    """Return the curve of the rows that were drawn at random: the others were chosen by their chance, and would make
    the check look worse than it is. None where one kind is missing."""
    held, others = _kinds([row for row in rows if row.at_random])
    if not held or not others:
        return None
    area, error = auroc(held, others)
    return Curve(
        held=len(held), others=len(others), auroc=area, low=max(0.0, area - 1.96 * error),
        high=min(1.0, area + 1.96 * error),
        points=(
            Point(threshold=1.01, held_found=0.0, others_let_through=0.0),
            *(point(held, others, at) for at in sorted({*held, *others, 0.0}, reverse=True)),
        ),
    )  # fmt: skip


def point(held: Sequence[float], others: Sequence[float], threshold: float) -> Point:
    """Return what a threshold makes of the chances of both kinds; neither is empty."""
    return Point(
        threshold=threshold,
        held_found=sum(chance >= threshold for chance in held) / len(held),
        others_let_through=sum(chance >= threshold for chance in others) / len(others),
    )


def agreement(labels: Iterable[tuple[Hashable, str]]) -> Agreement | None:
    """Return how far labels of the same sentence agree; None where no sentence has two. Pairs are
    ``(sentence, label)``; Krippendorff 2011, Computing Krippendorff's alpha-reliability."""
    by_sentence: dict[Hashable, list[str]] = defaultdict(list)
    for sentence, label in labels:
        by_sentence[sentence].append(label)
    several = [found for found in by_sentence.values() if len(found) > 1]
    if not several:
        return None
    pairs: Counter[bool] = Counter()
    weighted = 0.0
    for found in several:
        differ = sum(one != two for one, two in permutations(found, 2))
        pairs[True] += len(found) * (len(found) - 1) - differ
        pairs[False] += differ
        weighted += differ / (len(found) - 1)
    totals = Counter(label for found in several for label in found)
    count = totals.total()
    expected = (count * count - sum(n * n for n in totals.values())) / (count - 1)
    return Agreement(
        sentences=len(several), alike=pairs[True] / pairs.total(), alpha=1 - weighted / expected if expected else None
    )


def quality(rows: Sequence[Marked], *, limits: Sequence[float]) -> Quality:
    """Return how the check fares, with the balanced accuracy that each threshold in ``limits`` would give."""
    drawn, found = [row for row in rows if row.at_random], curve(rows)
    right = sum((row.verdict == "supported") == row.held for row in drawn)
    return Quality(
        sentences=len(rows), drawn=len(drawn), held=sum(row.held for row in drawn),
        agreed=right / len(drawn) if drawn else 0.0, curve=found,
        balanced=tuple(_balanced(drawn, limit) for limit in limits) if found else (),
    )  # fmt: skip


def _balanced(rows: Sequence[Marked], threshold: float) -> float:
    """Return the balanced accuracy at a threshold; what the chance did not decide keeps its verdict."""
    share = _Share()
    for row in rows:
        supported = row.chance >= threshold if row.open else row.verdict == "supported"
        share.add(row, 1.0, right=supported == row.held)
    return share.balanced


def fitted(rows: Sequence[Marked], *, shipped: float) -> Fitted:
    """Fit both thresholds to the sentences that only the chance decided, and judge the upper one on folds.

    :raises TooFewLabels: there are fewer than ``FEWEST_TO_FIT`` of a kind that weigh anything.
    """
    weighed = _weighed([row for row in rows if row.open])
    held = sum(row.held for row, _ in weighed)
    others = len(weighed) - held
    if min(held, others) < FEWEST_TO_FIT:
        raise TooFewLabels(
            f"Thresholds are fitted from {FEWEST_TO_FIT} sentences of each kind that only the chance decided, in "
            f"tenths of its scale from which some were drawn at random; there are {held} supported and {others} "
            "not supported."
        )
    supported = _best(weighed)
    told, told_shipped = _Share(), _Share()
    for fold in range(FOLDS):
        threshold = _best([each for at, each in enumerate(weighed) if at % FOLDS != fold])
        for row, weight in weighed[fold::FOLDS]:
            told.add(row, weight, right=(row.chance >= threshold) == row.held)
            told_shipped.add(row, weight, right=(row.chance >= shipped) == row.held)
    return Fitted(
        supported=supported, unsupported=min(supported, _alarm(weighed)), held=held, others=others,
        balanced_accuracy=told.balanced, shipped_accuracy=told_shipped.balanced,
    )  # fmt: skip


Weighed = list[tuple[Marked, float]]


class _Share:
    """Share told right of the held and of the others, by weight."""

    def __init__(self) -> None:
        self._all: dict[bool, float] = defaultdict(float)
        self._right: dict[bool, float] = defaultdict(float)

    def add(self, row: Marked, weight: float, *, right: bool) -> None:
        self._all[row.held] += weight
        self._right[row.held] += weight * right

    @property
    def balanced(self) -> float:
        return sum(self._right[kind] / self._all[kind] for kind in (True, False)) / 2


def _weighed(rows: Sequence[Marked]) -> Weighed:
    """Return the rows with weights that make their chances spread as those of the rows drawn at random: which sentence
    was chosen depended on its chance alone, so that within a tenth of the scale all are worth the same. Where none was
    drawn at random, nobody knows what the others are worth: they are left out."""
    everything = Counter(_bin(row) for row in rows)
    drawn = Counter(_bin(row) for row in rows if row.at_random)
    weighed = [(row, drawn[_bin(row)] / everything[_bin(row)]) for row in rows if drawn[_bin(row)]]
    # In the order of chances, so that every fold has some of each part of the scale.
    return sorted(weighed, key=lambda each: (each[0].held, each[0].chance))


def _bin(row: Marked) -> int:
    return min(BINS - 1, int(row.chance * BINS))


def _best(weighed: Weighed) -> float:
    """Return the threshold with the highest balanced accuracy, the middle one where several have it."""
    low, high = BOUNDS
    steps = [round(low + at / 100, 2) for at in range(round((high - low) * 100) + 1)]
    scores = []
    for threshold in steps:
        share = _Share()
        for row, weight in weighed:
            share.add(row, weight, right=(row.chance >= threshold) == row.held)
        scores.append(share.balanced)
    best = [step for step, score in zip(steps, scores, strict=True) if score > max(scores) - 1e-9]
    return best[len(best) // 2]


def _alarm(weighed: Weighed) -> float:
    """Return the highest threshold below which at most ``FALSE_ALARMS`` of the held sentences fall."""
    held = sorted((row.chance, weight) for row, weight in weighed if row.held)
    left = FALSE_ALARMS * sum(weight for _, weight in held)
    for chance, weight in held:
        left -= weight
        if left < 0:
            return min(max(int(chance * 100) / 100, BOUNDS[0]), BOUNDS[1])
    return BOUNDS[0]


def _kinds(rows: Iterable[Marked]) -> tuple[list[float], list[float]]:
    kinds: tuple[list[float], list[float]] = ([], [])
    for row in rows:
        kinds[not row.held].append(row.chance)
    return kinds
