"""The chance that a statement is held by its sources: a fitted model of the signals, and the record of its fit.

Logistic regression on the signals, clipped and standardised, and on their products with both lengths. Fitted by
``manage.py evaluate verification --fit`` on labelled statements; the record says on which, when and how good it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LENGTHS", "TIERS", "Record", "Tier", "expanded", "read_record"]

TIERS: Mapping[str, tuple[str, ...]] = {
    "words": ("words", "window", "pairs", "unmet", "numbers", "source_length", "statement_length"),
    "vectors": ("in_order", "cosine", "words", "numbers", "far", "source_tokens", "statement_tokens"),
}
"""Signals of each tier."""

LENGTHS = frozenset({"source_length", "statement_length", "source_tokens", "statement_tokens"})

CLIP = 2.5
"""Deviations from the mean: beyond what was fitted on, a square must not run away."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A fitted model: means and deviations of the signals, weights of ``expanded`` signals."""

    signals: tuple[str, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    weights: tuple[float, ...]
    constant: float
    quality: Mapping[str, float]  # on the statements it was not fitted on

    def chance(self, signals: Mapping[str, float]) -> float:
        """Return the chance, 0..1, that a statement with these signals is held by its sources."""
        row = np.array([[signals[name] for name in self.signals]])
        value = float((expanded(row, self.signals, self.means, self.deviations) @ np.array(self.weights))[0])
        return 1 / (1 + exp(-(value + self.constant)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Where a verifier comes from. ``supported`` is the chance from which a statement counts as held, ``unsupported``
    the one below which it counts as not held; between them it is weak."""

    verifier: str
    data: str
    date: str
    fitted: int  # statements
    judged: int  # statements its quality was measured on
    supported: float
    unsupported: float
    tiers: Mapping[str, Tier]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def expanded(
    rows: Numbers, signals: Sequence[str], means: Sequence[float], deviations: Sequence[float]
) -> Numbers:  # fmt: skip
    """Return ``(rows, signals and their products)``: standardised, clipped, and each times each length."""
    z: Numbers = np.clip((rows - np.array(means)) / np.array(deviations), -CLIP, CLIP)
    lengths = [at for at, name in enumerate(signals) if name in LENGTHS]
    pairs = [(one, two) for two in lengths for one in range(len(signals)) if one not in lengths or one <= two]
    return np.column_stack([z, *(z[:, one] * z[:, two] for one, two in pairs)])


def read_record(path: Path) -> Record:
    """Return the record of a file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    tiers = {}
    for name, tier in data["tiers"].items():
        lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in tier.items()}
        tiers[name] = Tier(**lists)
    return Record(**{**data, "tiers": tiers})
