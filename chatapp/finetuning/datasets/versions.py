"""Versions of a dataset: the draft that changes, frozen ones that never do, and what is between two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from chatapp.finetuning.datasets import checks
from chatapp.finetuning.datasets.access import require_editor
from chatapp.finetuning.datasets.copying import copy_rows
from chatapp.finetuning.datasets.export import approved, content_hash
from chatapp.finetuning.datasets.freshness import carried
from chatapp.finetuning.datasets.models import DatasetVersion, TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.shapes import question_of
from chatapp.finetuning.datasets.storing import hold_draft
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = [
    "Difference", "NothingToFreeze", "RowsCame", "difference", "draft_of", "freeze", "newest_frozen", "newest_versions",
    "open_draft",
]  # fmt: skip


class NothingToFreeze(KnowledgeError):
    code = "nothing_to_freeze"
    status = 409
    default_message = "No row is approved yet. Review some rows first."


class RowsCame(KnowledgeError):
    code = "rows_came"
    status = 409
    permanent = False
    default_message = "Rows were added and approved while it was frozen."


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a version has that another one has not. ``changed`` are rows that were edited since, as pairs of keys."""

    added: list[str]
    removed: list[str]
    changed: list[tuple[str, str]]


def draft_of(dataset: TrainingDataset) -> DatasetVersion | None:
    found = dataset.versions.filter(state=DatasetVersion.State.DRAFT).first()
    if found is not None:
        found.dataset = dataset
    return found


def newest_frozen(dataset: TrainingDataset) -> DatasetVersion | None:
    return dataset.versions.filter(state=DatasetVersion.State.FROZEN).order_by("-number").first()


def newest_versions(datasets: Sequence[TrainingDataset], *, most: int) -> dict[UUID, list[DatasetVersion]]:
    """Return the newest versions of each dataset by its id, newest first: one query for all of them."""
    rank = Window(RowNumber(), partition_by="dataset", order_by="-number")
    rows = DatasetVersion.objects.filter(dataset__in=datasets).annotate(rank=rank).filter(rank__lte=most)
    found: dict[UUID, list[DatasetVersion]] = {dataset.pk: [] for dataset in datasets}
    for version in rows.order_by("-number"):
        found[version.dataset_id].append(version)
    return found


@transaction.atomic
def open_draft(dataset: TrainingDataset, *, actor: Actor) -> DatasetVersion:
    """Return the draft of a dataset; where it has none, a new one with all that the newest version has.

    :raises NotAllowed: the actor may only read.
    """
    require_editor(actor)
    TrainingDataset.objects.select_for_update(of=("self",)).get(pk=dataset.pk)
    if (draft := draft_of(dataset)) is not None:
        return draft
    last = newest_frozen(dataset)
    draft = DatasetVersion.objects.create(
        dataset=dataset, number=last.number + 1 if last else 1, seed=last.seed if last else 1,
        checks=carried(last) if last else {}, created_by_id=actor.user_id or None,
    )  # fmt: skip
    if last is not None:
        copy_rows(last, draft)
    return draft


def freeze(
    version: DatasetVersion, actor: Actor, *, hold: Callable[[], None] | None = None
) -> DatasetVersion:  # fmt: skip
    """Check the draft once more and close it for ever under the hash of its approved rows: minutes for many rows.

    ``hold`` is called in each transaction that writes, and raises where nobody wants it frozen any more.

    :raises NotAllowed: the actor may only read. :raises VersionFrozen: it is frozen already.
    :raises NothingToFreeze: no row is approved. :raises RowsCame: rows were approved that the check did not see.
    """
    from chatapp.finetuning.datasets.drifting import drift_of

    require_editor(actor)
    checks.refresh(version, hold=hold)
    drift = drift_of(version)
    with transaction.atomic():
        hold_draft(version)
        if hold is not None:
            hold()
        version.refresh_from_db(fields=["checks", "seed"])
        if not approved(version).exists():
            raise NothingToFreeze
        if approved(version).filter(tokens=0).exists():
            raise RowsCame
        version.content_hash, version.counts = content_hash(version), counts_of(version)
        version.state, version.frozen, version.drift = DatasetVersion.State.FROZEN, timezone.now(), drift
        version.save(update_fields=["content_hash", "counts", "state", "frozen", "drift"])
    return version


def counts_of(version: DatasetVersion) -> dict[str, Any]:
    """Return the approved rows by split, origin and kind, and how many documents are held out."""
    rows = list(approved(version).values_list("split", "origin", "kind", "group"))
    return {
        "approved": len(rows),
        "split": dict(Counter(split for split, *_ in rows)),
        "origin": dict(Counter(origin for _, origin, *_ in rows)),
        "kind": dict(Counter(kind for *_, kind, _ in rows)),
        "groups": {name: len({g for s, *_, g in rows if s == name}) for name in TrainingRow.Split.values},
    }


def difference(old: DatasetVersion, new: DatasetVersion) -> Difference:
    """Return what changed between the approved rows of two versions; a row that was edited is named once."""
    before, after = (dict(approved(each).values_list("key", "first_key")) for each in (old, new))
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    by_first = {before[key]: key for key in sorted(gone)}
    changed = [(by_first[after[key]], key) for key in sorted(come) if after[key] in by_first]
    old_keys, new_keys = {a for a, _ in changed}, {b for _, b in changed}
    return Difference(added=sorted(come - new_keys), removed=sorted(gone - old_keys), changed=changed)


def questions_by_key(version: DatasetVersion, keys: list[str]) -> dict[str, str]:
    """Return what rows ask, by their keys."""
    rows = version.rows.filter(key__in=keys).values_list("key", "prompt")
    return {key: question_of(prompt) for key, prompt in rows}
