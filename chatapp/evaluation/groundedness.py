"""How well verifiers tell held statements from others, on labelled ones; and the fit of the product's own."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chatapp.answering.check import check_sentence
from chatapp.answering.folding import plain
from chatapp.answering.verification import Claim, Verifier
from chatapp.answering.verification.support import TIERS, Record, Tier, expanded
from chatapp.evaluation.labelled import UnusableSet, read
from chatapp.evaluation.metrics import auroc
from knowledge.analysis import terms
from knowledge.embedding.table import PieceTable
from knowledge.retrieval.calibration import logistic

__all__ = ["Labelled", "Quality", "compare", "fit_record", "fit_tier", "halves", "quality", "read_statements"]

SUPPORTED, UNSUPPORTED = 0.48, 0.2
"""Chances from which a statement counts as held and below which it counts as not held. The first tells both kinds
equally well on the half that the model is fitted on, and best."""

PENALTY = 33.0
"""Of squared weights, beside the summed loss; from .01 to .1 as its inverse is alike."""

FREE = 1e-9
"""Of the constant, which is as good as not penalised."""

_MARK = re.compile(r"\[\d{1,3}\]")
_UNFITTED = Record(
    verifier="signals-2", data="", date="", fitted=0, judged=0, supported=SUPPORTED, unsupported=UNSUPPORTED, tiers={}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A statement, the texts it is said to rest on, and whether people found it held by them."""

    question: str
    statement: str
    sources: tuple[str, ...]
    held: bool
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    statements: int
    auroc: float
    balanced_accuracy: float
    held_found: float  # share of the held that count as held
    others_found: float  # share of the others that do not
    f1_others: float


def read_statements(folder: Path) -> list[Labelled]:
    """Return the statements of a folder's ``statements.jsonl`` that people were sure of.

    :raises UnusableSet: the file is not there or has a row that is no labelled statement.
    """
    path = folder / "statements.jsonl"
    found = []
    for number, row in enumerate(read(path), start=1):
        if row.get("label") not in ("supported", "not_supported"):
            continue
        try:
            passages = [p if isinstance(p, str) else p["text"] for p in row["passages"]]
            found.append(
                Labelled(
                    question=row["question"],
                    statement=plain(_MARK.sub("", row["statement"])),
                    sources=tuple(passages),
                    held=row["label"] == "supported",
                    origin=row.get("source", ""),
                )
            )
        except (KeyError, TypeError) as error:
            raise UnusableSet(f"{path}, row {number}: no statement with its passages.") from error
    return found


def halves(rows: Sequence[Labelled]) -> tuple[list[int], list[int]]:
    """Return the places of the rows in two halves. All statements on one question are in the same one."""
    sides = [int(hashlib.sha256(row.question.encode()).hexdigest(), 16) % 2 for row in rows]
    return [at for at, side in enumerate(sides) if not side], [at for at, side in enumerate(sides) if side]


def fit_tier(name: str, signals: Sequence[Mapping[str, float]], held: Sequence[bool]) -> Tier:
    """Fit the model of a tier by Newton's method; its quality is left empty."""
    names = TIERS[name]
    rows = np.array([[each[signal] for signal in names] for each in signals], dtype=np.float64)
    means, deviations = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    inside = expanded(rows, names, list(means), list(deviations))
    centre, spread = inside.mean(axis=0), inside.std(axis=0) + 1e-9
    x = np.column_stack([(inside - centre) / spread, np.ones(len(rows))])
    penalty = np.append(np.full(x.shape[1] - 1, PENALTY), FREE)
    weights = logistic(x, np.array(held, dtype=np.float64), penalty=penalty, around=np.zeros(x.shape[1]))
    scaled = weights[:-1] / spread
    return Tier(
        signals=names, means=_rounded(means), deviations=_rounded(deviations), weights=_rounded(scaled),
        constant=round(float(weights[-1] - scaled @ centre), 6), quality={},
    )  # fmt: skip


def quality(chances: Sequence[float], held: Sequence[bool], *, threshold: float) -> Quality:
    """Judge chances: what they tell at all, and what a threshold makes of them."""
    yes = [chance for chance, label in zip(chances, held, strict=True) if label]
    no = [chance for chance, label in zip(chances, held, strict=True) if not label]
    found = sum(chance >= threshold for chance in yes) / len(yes)
    refused = sum(chance < threshold for chance in no) / len(no)
    missed = (1 - found) * len(yes)
    return Quality(
        statements=len(chances), auroc=auroc(yes, no)[0], balanced_accuracy=(found + refused) / 2, held_found=found,
        others_found=refused, f1_others=2 * refused * len(no) / (refused * len(no) + missed + len(no)),
    )  # fmt: skip


def best_threshold(chances: Sequence[float], held: Sequence[bool]) -> float:
    """Return the threshold with the highest balanced accuracy; for scores that are no chances."""
    candidates = np.quantile(np.array(chances), np.linspace(0.02, 0.98, 97))
    return float(max(candidates, key=lambda at: quality(chances, held, threshold=at).balanced_accuracy))


def fit_record(rows: Sequence[Labelled], *, table: PieceTable, data: str, date: str) -> Record:
    """Fit every tier on one half of the statements and measure it, as the verifier uses it, on the other.

    :raises EmbeddingFailed: the table cannot be read.
    """
    here, there = halves(rows)
    signals = Verifier(table, record=_UNFITTED).signals([claim_of(row) for row in rows])
    tiers = {name: fit_tier(name, [signals[at] for at in here], [rows[at].held for at in here]) for name in TIERS}
    record = replace(_UNFITTED, data=data, date=date, fitted=len(here), judged=len(there), tiers=tiers)
    judged = [rows[at] for at in there]
    for name, verifier in _ways(record, table=table).items():
        found = quality(scores_of(verifier, judged), _held(judged), threshold=SUPPORTED)
        measured = {"auroc": round(found.auroc, 4), "balanced_accuracy": round(found.balanced_accuracy, 4)}
        tiers[name] = replace(tiers[name], quality=measured)
    return record


def compare(
    rows: Sequence[Labelled], *, table: PieceTable | None, record: Record
) -> Iterator[tuple[str, Quality, float]]:
    """Judge each way to check on the half that nothing was fitted on: its name, its quality, milliseconds each."""
    here, there = ([rows[at] for at in places] for places in halves(rows))
    held = _held(there)
    yield "always supported", quality([1.0] * len(there), held, threshold=SUPPORTED), 0.0
    overlap, spent = _timed(lambda: [_overlap(row) for row in there])
    threshold = best_threshold([_overlap(row) for row in here], _held(here))
    yield "word overlap", quality(overlap, held, threshold=threshold), spent / len(there)
    certain, spent = _timed(lambda: [_certain(row) for row in there])
    yield "exact words, quotations and numbers", quality(certain, held, threshold=SUPPORTED), spent / len(there)
    for tier, verifier in _ways(record, table=table).items():
        scores, spent = _timed(lambda verifier=verifier: scores_of(verifier, there))  # type: ignore[misc]
        yield f"with {tier}", quality(scores, held, threshold=SUPPORTED), spent / len(there)


def _ways(record: Record, *, table: PieceTable | None) -> Mapping[str, Verifier]:
    """Return verifiers that go as far as each tier, by the tier's name."""
    ways = {"words": Verifier(record=record)}
    return ways if table is None else ways | {"vectors": Verifier(table, record=record)}


def scores_of(verifier: Verifier, rows: Sequence[Labelled]) -> list[float]:
    """Return the chance of each statement: below ``SUPPORTED`` unless its verdict is that it is supported."""
    return [judged.score for row in rows for judged in verifier.judge([claim_of(row)])]


def claim_of(row: Labelled) -> Claim:
    return Claim(statement=row.statement, sources=row.sources)


def _overlap(row: Labelled) -> float:
    wanted = set(terms(row.statement))
    return len(wanted & {term for source in row.sources for term in terms(source)}) / max(1, len(wanted))


def _certain(row: Labelled) -> float:
    return float(check_sentence(sentence=row.statement, sources=row.sources).verdict != "unsupported")


def _held(rows: Sequence[Labelled]) -> list[bool]:
    return [row.held for row in rows]


def _timed(call: Callable[[], list[float]]) -> tuple[list[float], float]:
    began = time.perf_counter()
    found = call()
    return found, (time.perf_counter() - began) * 1_000


def _rounded(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
