"""How a version stands: its rows by what matters to who decides, and what so many are good for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F
from django.db.models.lookups import IsNull

from chatapp.finetuning.datasets.gates import Gate, gate_of, next_gate
from chatapp.finetuning.datasets.models import DatasetVersion, TrainingRow

__all__ = ["Standing", "standing_of", "standings_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Counts of a version's rows. ``verified`` are approved rows to train on, which the gate counts."""

    rows: int
    states: Counter[str]
    approved_split: Counter[str]
    approved_kind: Counter[str]
    approved_origin: Counter[str]
    erased: int

    @property
    def verified(self) -> int:
        return self.approved_split[TrainingRow.Split.TRAIN]

    @property
    def gate(self) -> Gate:
        return gate_of(self.verified)

    @property
    def following(self) -> Gate | None:
        return next_gate(self.verified)

    @property
    def refusals(self) -> float:
        """Share of the approved rows over passages that refuse, 0..1."""
        over = self.approved_kind[TrainingRow.Kind.GROUNDED] + self.approved_kind[TrainingRow.Kind.REFUSAL]
        return self.approved_kind[TrainingRow.Kind.REFUSAL] / over if over else 0.0

    @property
    def warnings(self) -> list[str]:
        """Sentences for people: what a training on these rows would suffer from."""
        found = []
        if self.verified and not self.approved_split[TrainingRow.Split.EVAL]:
            found.append(
                "Nothing is held out: all approved rows come from the same document or ask nearly the same. Add rows "
                "of other documents, or nobody can tell whether a training helped."
            )
        if self.approved_kind[TrainingRow.Kind.GROUNDED] >= 20 and self.refusals < 0.1:
            found.append(
                f"{self.refusals:.0%} of the rows over passages refuse; 15 to 20 % keep a model from making answers up."
            )
        if self.erased:
            found.append(
                f"{self.erased} {'row has' if self.erased == 1 else 'rows have'} lost the text with a deleted document."
            )
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows, "states": dict(self.states), "split": dict(self.approved_split),
            "kind": dict(self.approved_kind), "origin": dict(self.approved_origin), "gate": self.gate.name,
            "gate_words": self.gate.words, "warnings": self.warnings,
        }  # fmt: skip


def standing_of(version: DatasetVersion) -> Standing:
    """Count the rows of a version: one query."""
    return standings_of([version])[version.pk]


def standings_of(versions: Sequence[DatasetVersion]) -> dict[UUID, Standing]:
    """Count the rows of versions, by their ids: one query for all of them."""
    rows = TrainingRow.objects.filter(version__in=versions).annotate(gone=IsNull(F("erased"), False)).order_by()
    counted = rows.values_list("version", "state", "split", "kind", "origin", "gone").annotate(n=Count("pk"))
    found: dict[UUID, list[tuple[Any, ...]]] = {version.pk: [] for version in versions}
    for pk, *row in counted:
        found[pk].append(tuple(row))
    return {pk: _standing(each) for pk, each in found.items()}


def _standing(rows: Sequence[tuple[Any, ...]]) -> Standing:
    """Return the standing of rows counted by state, split, kind, origin and whether their text is gone."""
    approved = [row for row in rows if row[0] == TrainingRow.State.APPROVED and not row[4]]

    def by(at: int, among: Sequence[tuple[Any, ...]]) -> Counter[str]:
        return sum((Counter({row[at]: row[5]}) for row in among), Counter())

    return Standing(
        rows=sum(row[5] for row in rows), states=by(0, rows), erased=sum(row[5] for row in rows if row[4]),
        approved_split=by(1, approved), approved_kind=by(2, approved), approved_origin=by(3, approved),
    )  # fmt: skip
