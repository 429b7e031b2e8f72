"""Versions of a dataset: the draft that changes, frozen ones that never do, and what is between two of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from chatapp.finetuning.datasets import checks
from chatapp.finetuning.datasets.access import require_editor
from chatapp.finetuning.datasets.export import approved, content_hash
from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.shapes import question_of
from chatapp.finetuning.datasets.storing import hold_draft
from knowledge.errors import KnowledgeError
from knowledge.stores.common import batches
from knowledge.tenants.access import Actor

__all__ = ["Difference", "NothingToFreeze", "difference", "draft_of", "freeze", "newest_frozen", "open_draft"]

TOGETHER = 200
COPIED = (
    "key", "first_key", "origin", "kind", "prompt", "completion", "group", "split", "state", "tokens", "flags",
    "reviewed_by_id", "reviewed",
)  # fmt: skip
SOURCE_FIELDS = (
    "role", "document_id", "document_ref", "base_ref", "version", "start", "end", "title", "run_ref", "case_ref",
)  # fmt: skip


class NothingToFreeze(KnowledgeError):
    code = "nothing_to_freeze"
    status = 409
    default_message = "No row is approved yet. Review some rows first."


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
        checks={"limits": last.checks.get("limits") or {}} if last else {}, created_by_id=actor.user_id or None,
    )  # fmt: skip
    if last is not None:
        _copy(last, draft)
    return draft


def _copy(last: DatasetVersion, draft: DatasetVersion) -> None:
    """Copy the rows that still have their text, with their sources."""
    rows = list(last.rows.filter(erased=None).order_by("created", "pk").prefetch_related("sources"))
    for part in batches(rows, TOGETHER):
        new = [TrainingRow(version=draft, **{name: getattr(row, name) for name in COPIED}) for row in part]
        TrainingRow.objects.bulk_create(new)
        RowSource.objects.bulk_create(
            RowSource(row=copy, **{name: getattr(source, name) for name in SOURCE_FIELDS})
            for row, copy in zip(part, new, strict=True)
            for source in row.sources.all()
        )


def freeze(version: DatasetVersion, actor: Actor) -> DatasetVersion:
    """Check the draft once more and close it for ever under the hash of its approved rows.

    :raises NotAllowed: the actor may only read. :raises VersionFrozen: it is frozen already.
    :raises NothingToFreeze: no row is approved.
    """
    from chatapp.finetuning.datasets.drifting import drift_of

    require_editor(actor)
    checks.refresh(version)
    drift = drift_of(version)
    with transaction.atomic():
        hold_draft(version)
        version.refresh_from_db(fields=["checks", "seed"])
        if not approved(version).exists():
            raise NothingToFreeze
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
