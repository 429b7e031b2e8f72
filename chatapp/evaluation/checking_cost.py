"""What checking the sentences of an answer costs."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chatapp.answering.verification import Claim, Verifier
from chatapp.evaluation.groundedness import Labelled, claim_of

__all__ = ["Cost", "cost"]

ANSWERS, SENTENCES = 40, 10
LONGEST_SOURCE = 1_400
"""Characters: about a passage as it is cited; the labelled sets have sources of whole pages too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds of one thread: p50 and p95 of answers, checked sentence by sentence, and p95 of single sentences.

    ``known``: the sources were cited before in the answer, so that what is made of them once is there.
    """

    known: tuple[float, float]
    new: tuple[float, float]
    sentence: float


def cost(rows: Sequence[Labelled], *, verifier: Verifier) -> Cost:
    """Measure answers of ten labelled statements, each with sources of its own."""
    usable = [claim_of(row) for row in rows if sum(map(len, row.sources)) <= LONGEST_SOURCE]
    chosen = random.Random(0)  # noqa: S311 - the same statements each time
    answers = [chosen.sample(usable, min(SENTENCES, len(usable))) for _ in range(ANSWERS)]
    new = [sum(_spent(verifier, claim) for claim in claims) for claims in answers]
    known: list[float] = []
    sentences: list[float] = []
    for claims in answers:
        for claim in claims:  # another statement about the same sources
            verifier.judge([replace(claim, statement=f"As was said before, {claim.statement} And more than this.")])
        spent = [_spent(verifier, claim) for claim in claims]
        sentences += spent
        known.append(sum(spent))
    return Cost(
        known=_percentiles(known), new=_percentiles(new),
        sentence=float(np.percentile(sentences, 95)),
    )  # fmt: skip


def _spent(verifier: Verifier, claim: Claim) -> float:
    began = time.perf_counter()
    verifier.judge([claim])
    return (time.perf_counter() - began) * 1_000


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    return float(np.percentile(values, 50)), float(np.percentile(values, 95))
