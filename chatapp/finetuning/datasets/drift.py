"""How far one set of questions is from another: lengths, where they lie in meaning, and how they spread there.

Numbers only. PSI over bins and clusters, two-sample Kolmogorov-Smirnov with its asymptotic p-value, distance of mean
embeddings with a permutation p-value; Benjamini and Hochberg 1995 over the p-values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.types import Vector

__all__ = ["FEWEST", "FEWEST_TO_TELL", "Drift", "Signal", "compare", "ks", "mean_distance", "psi", "significant"]

FEWEST = 20
"""Questions on both sides below which nothing is computed."""

FEWEST_TO_TELL = 200
"""Questions on both sides below which no alarm is raised (reference §3.1): figures of fewer are mostly chance."""

SHIFTED = 0.25
"""PSI from which a distribution counts as another one; below .1 as the same. The usual reading of it."""

BINS, CLUSTERS, ROUNDS = 10, 8, 25
PERMUTATIONS = 200
RATE = 0.05

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One figure. ``p`` is None where it has no test of its own; ``drifted`` is its alarm."""

    name: str
    value: float
    p: float | None = None
    drifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What a comparison says; ``enough`` tells whether its alarms may be believed."""

    before: int
    after: int
    enough: bool
    signals: tuple[Signal, ...]

    @property
    def drifted(self) -> bool:
        return any(signal.drifted for signal in self.signals)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "signals": [asdict(signal) for signal in self.signals], "drifted": self.drifted}


def compare(
    before: tuple[Sequence[str], Vector], after: tuple[Sequence[str], Vector], *, seed: int = 1
) -> Drift | None:  # fmt: skip
    """Compare two sets of questions, each with its ``(n, dimension)`` vectors; None where one has too few."""
    sizes = len(before[0]), len(after[0])
    if min(sizes) < FEWEST:
        return None
    enough = min(sizes) >= FEWEST_TO_TELL
    lengths = [np.array([len(text.split()) for text in texts], dtype=float) for texts, _ in (before, after)]
    statistic, length_p = ks(*lengths)
    distance, mean_p = mean_distance(before[1], after[1], seed=seed)
    tested = significant([length_p, mean_p])
    spread = psi(*_cluster_shares(before[1], after[1], seed=seed))
    binned = psi(*_binned(*lengths))
    signals = (
        Signal(name="length", value=round(statistic, 4), p=round(length_p, 4), drifted=enough and tested[0]),
        Signal(name="length_psi", value=round(binned, 4), drifted=enough and binned >= SHIFTED),
        Signal(name="meaning", value=round(distance, 4), p=round(mean_p, 4), drifted=enough and tested[1]),
        Signal(name="clusters_psi", value=round(spread, 4), drifted=enough and spread >= SHIFTED),
    )
    return Drift(before=sizes[0], after=sizes[1], enough=enough, signals=signals)


def psi(before: Numbers, after: Numbers) -> float:
    """Return the population stability index of two rows of counts; half a count stands for none."""
    shares = [np.maximum(counts, 0.5) / np.maximum(counts, 0.5).sum() for counts in (before, after)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def ks(before: Numbers, after: Numbers) -> tuple[float, float]:
    """Return the greatest distance of both distributions and the chance of one as great where they are the same."""
    every = np.sort(np.concatenate([before, after]))
    steps = [np.searchsorted(np.sort(part), every, side="right") / len(part) for part in (before, after)]
    distance = float(np.abs(steps[0] - steps[1]).max())
    size = sqrt(len(before) * len(after) / (len(before) + len(after)))
    at = (size + 0.12 + 0.11 / size) * distance  # Stephens 1970
    if at < 0.2:
        return distance, 1.0  # the series below does not converge there, and the chance is 1
    total = sum((-1) ** (k - 1) * exp(-2 * k * k * at * at) for k in range(1, 101))
    return distance, min(1.0, max(0.0, 2 * total))


def mean_distance(before: Vector, after: Vector, *, seed: int = 1) -> tuple[float, float]:
    """Return the cosine distance of the mean vectors, and the share of random divisions that are as far apart."""
    every, first = np.concatenate([before, after]).astype(np.float64), len(before)
    random = np.random.default_rng(seed)
    found = _distance(every[:first], every[first:])
    as_far = 0
    for _ in range(PERMUTATIONS):
        order = random.permutation(len(every))
        as_far += _distance(every[order[:first]], every[order[first:]]) >= found
    return found, (as_far + 1) / (PERMUTATIONS + 1)


def significant(chances: Sequence[float], *, rate: float = RATE) -> list[bool]:
    """Return which p-values stand at a false discovery rate (Benjamini-Hochberg)."""
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    passing = [rank for rank, at in enumerate(order, start=1) if chances[at] <= rate * rank / len(chances)]
    last = passing[-1] if passing else 0
    stands = set(order[:last])
    return [at in stands for at in range(len(chances))]


def _distance(one: Numbers, other: Numbers) -> float:
    first, second = one.mean(axis=0), other.mean(axis=0)
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return 1.0 - float(first @ second) / lengths if lengths else 1.0


def _binned(before: Numbers, after: Numbers) -> tuple[Numbers, Numbers]:
    """Count both in bins that each hold about a tenth of the first."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    counted = [np.bincount(np.searchsorted(edges, part, side="left"), minlength=len(edges) + 1) for part in
               (before, after)]  # fmt: skip
    return counted[0].astype(float), counted[1].astype(float)


def _cluster_shares(before: Vector, after: Vector, *, seed: int) -> tuple[Numbers, Numbers]:
    """Count both in clusters of the first (k-means, Lloyd)."""
    random = np.random.default_rng(seed)
    centres = before[random.choice(len(before), min(CLUSTERS, len(before)), replace=False)].astype(np.float64)
    for _ in range(ROUNDS):
        nearest = _nearest(before, centres)
        moved = np.array(
            [before[nearest == at].mean(axis=0) if (nearest == at).any() else centres[at] for at in range(len(centres))]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    counted = [np.bincount(_nearest(part, centres), minlength=len(centres)).astype(float) for part in (before, after)]
    return counted[0], counted[1]


def _nearest(vectors: Vector, centres: Numbers) -> npt.NDArray[np.intp]:
    nearest: npt.NDArray[np.intp] = np.argmin((centres**2).sum(axis=1)[None, :] - 2 * vectors @ centres.T, axis=1)
    return nearest
