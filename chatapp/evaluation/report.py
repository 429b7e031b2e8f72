"""What was measured, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chatapp.evaluation.bootstrap import Figure
from chatapp.evaluation.gate import Change
from chatapp.evaluation.metrics import MEASURES
from chatapp.evaluation.runner import WHOLE, Measured, Settings

FOUND = ("hit@1", "hit@5", "hit@10", "MRR@10", "nDCG@10")
PASSAGES = (
    "recall@1",
    "recall@5",
    "recall@10",
    "recall@20",
    "precision@5",
    "coverage@5",
    "coverage@10",
    "coverage@4500c",
)
COMPARED = ("hit@1", "hit@5", "MRR@10", "nDCG@10", "recall@10", "coverage@5", "coverage@4500c")


@dataclass(slots=True)
class Report:
    """The runs so far and what they were made with."""

    store: str
    embedding: str
    settings: Settings
    chunker: str = ""
    cached: bool = False
    measured: list[Measured] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return what ``gate.read_baseline`` reads; scores to six digits."""
        sets = [
            {**asdict(m), "scores": {q: [round(s, 6) for s in scores] for q, scores in m.scores.items()}}
            for m in self.measured
        ]
        return {
            "store": self.store, "embedding": self.embedding, "profile": asdict(self.settings.profile),
            "chunker": self.chunker,
            "history": self.settings.history, "cached": self.cached, "measures": list(MEASURES), "sets": sets,
        }  # fmt: skip

    def lines(self) -> list[str]:
        """Return the report for people."""
        if not self.measured:
            return ["Nothing was measured."]
        found = [f"Store {self.store}, embedding model {self.embedding}; means with 95 % intervals"]
        found += ["Questions whose answer was found:", *self._figures(FOUND)]
        found += ["Gold spans found, and what else came with them:", *self._figures(PASSAGES)]
        found += [*self._indexed(), *self._no_answer(), *self._latency()]
        failed = {m.name: m.failed for m in self.measured if m.failed}
        found += [f"{name}: {count} documents could not be indexed." for name, count in failed.items()]
        return [*found, *dict.fromkeys(note for m in self.measured for note in m.notes)]

    def _figures(self, measures: Sequence[str]) -> list[str]:
        rows = [
            (
                _name(m),
                str(m.chunks),
                str(len(m.scores)),
                *(with_interval(m.figures[measure]) for measure in measures),
            )
            for m in self.measured
        ]
        return table(("set", "passages", "questions", *measures), rows)

    def _indexed(self) -> list[str]:
        """Return the sizes of the passages, by corpus: its question sets share them."""
        corpora = {m.name.partition(",")[0]: m.indexed for m in self.measured if m.indexed}
        if not corpora:
            return []
        head = list(next(iter(corpora.values())))
        rows = [(name, *(f"{sizes[each]:g}" for each in head)) for name, sizes in corpora.items()]
        found = [
            f"Passages cut by {self.chunker}, and how many the model cannot read whole:",
            *table(("", *head), rows),
        ]
        if self.cached:
            found.append("  Vectors came from the cache: the seconds are not the product's.")
        return found

    def _no_answer(self) -> list[str]:
        judged = [(m, m.no_answer) for m in self.measured if m.no_answer is not None]
        if not judged:
            return []
        kept = list(judged[0][1].refused)
        rows = [
            (
                _name(m),
                str(found.unanswerable),
                with_interval(Figure(found.auroc, found.low, found.high)),
                f"{m.no_answer_by_score.auroc:.3f}" if m.no_answer_by_score else "",
                *(f"{found.refused[share]:.2f}" for share in kept),
            )
            for m, found in judged
        ]
        head = ("set", "unanswerable", "AUROC", "by score", *(f"at {100 * float(share):g} %" for share in kept))
        return [
            "Refusable by the chance of an answer: share of the unanswerable, keeping of the others",
            *table(head, rows),
        ]

    def _latency(self) -> list[str]:
        stages = list(dict.fromkeys(stage for m in self.measured for stage in m.latency))
        rows = [
            (_name(m), *("/".join(f"{t:.1f}" for t in m.latency[s]) if s in m.latency else "" for s in stages))
            for m in self.measured
        ]
        found = ["Milliseconds of each stage, median/95th percentile:", *table(("set", *stages), rows)]
        if self.cached:
            found.append("  Vectors came from the cache: the times of the embed stage are not the product's.")
        return found


def changes(found: Sequence[Change]) -> list[str]:
    """Return a table of the differences to a baseline; ``-`` and ``+`` mark those that are significant."""
    by_set: dict[str, dict[str, Change]] = {}
    for change in found:
        by_set.setdefault(change.name, {})[change.measure] = change
    rows = []
    for name, of in by_set.items():
        questions = str(next(iter(of.values())).questions)
        rows.append((name, questions, *(_change(of[m]) if m in of else "" for m in COMPARED)))
    return [
        "Difference to the baseline (paired; - fell, + rose significantly):",
        *table(("set", "questions", *COMPARED), rows),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]


def with_interval(figure: Figure) -> str:
    low, high = (f"{edge:.3f}".removeprefix("0") for edge in (figure.low, figure.high))
    return f"{figure.value:.3f} [{low} {high}]"


def _name(measured: Measured) -> str:
    return measured.name if measured.settings == WHOLE else f"  {measured.settings}"


def _change(change: Change) -> str:
    mark = "-" if change.fell else "+" if change.rose else " "
    return f"{change.difference.value:+.3f} [{change.difference.low:+.3f} {change.difference.high:+.3f}]{mark}"
