"""Writes: what people decide about rows."""

from __future__ import annotations

from collections.abc import Collection

from django.db import IntegrityError, transaction
from django.utils import timezone

from chatapp.finetuning.datasets import checks
from chatapp.finetuning.datasets.access import RowNotFound, require_editor
from chatapp.finetuning.datasets.freshness import limits_of, outdated
from chatapp.finetuning.datasets.models import TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.queueing import BuildRefused, is_busy
from chatapp.finetuning.datasets.shapes import kind_of, row_key
from chatapp.finetuning.datasets.storing import hold_draft, verified_flags
from chatapp.finetuning.datasets.versions import open_draft
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["BUSY", "LONGEST_COMPLETION", "RowRefused", "edit_row", "review_row", "review_unflagged"]

LONGEST_COMPLETION = 32_000
"""Characters."""

BUSY = "Rows are being added or checked. Approve them together when that is done."


class RowRefused(KnowledgeError):
    code = "row_refused"
    status = 409
    default_message = "This row cannot be approved as it is."


def edit_row(*, actor: Actor, row: TrainingRow, completion: str) -> TrainingRow:
    """Change what a row of the draft teaches, and check it anew. That of an answer becomes feedback: it was corrected.

    :raises NotAllowed: the actor may only read. :raises VersionFrozen: the row is of a frozen version.
    :raises RowRefused: nothing is written, too much is, or another row has the same words.
    :raises RowNotFound: it went with a deleted document.
    """
    require_editor(actor)
    completion = completion.replace("\r\n", "\n").replace("\0", "").strip()
    if not completion or len(completion) > LONGEST_COMPLETION:
        raise RowRefused("A completion has 1 to 32,000 characters.")
    row.key, row.completion = row_key(row.prompt, completion), completion
    row.kind = kind_of(row.prompt, completion)
    found = verified_flags(row.prompt, completion, tenant_id=row.version.dataset.tenant_id)
    tokens, own = checks.own_flags(row, limits_of(row.version))
    row.state, row.reviewed_by, row.reviewed = TrainingRow.State.PROPOSED, None, None
    if row.origin == TrainingRow.Origin.ANSWER:
        row.origin = TrainingRow.Origin.FEEDBACK
    try:
        with transaction.atomic():
            hold_draft(row.version)
            held = _held(row)
            row.tokens = tokens if held.tokens else 0  # beside the others it was not looked at yet
            row.flags = {name: words for name, words in held.flags.items() if name == "leak"} | found | own
            row.group, row.split = held.group, held.split
            row.save()
    except IntegrityError as err:
        raise RowRefused("Another row of this version has the same prompt and completion.") from err
    return row


def review_row(*, actor: Actor, row: TrainingRow, state: str) -> TrainingRow:
    """Approve or reject a row of the draft, or propose it again.

    :raises NotAllowed: the actor may only read. :raises VersionFrozen: it is of a frozen version.
    :raises RowRefused: something keeps it from approval.
    """
    require_editor(actor)
    if state not in TrainingRow.State.values:
        raise RowRefused("A row is approved, rejected or proposed.")
    with transaction.atomic():
        hold_draft(row.version)
        held = _held(row)
        if state == TrainingRow.State.APPROVED and (why := checks.blocks(held.flags)):
            raise RowRefused(f"This row cannot be approved. {' '.join(why)}")
        decided = state != TrainingRow.State.PROPOSED
        row.state = state
        row.reviewed_by_id = (actor.user_id or None) if decided else None
        row.reviewed = timezone.now() if decided else None
        row.flags = held.flags
        row.save(update_fields=["state", "reviewed_by", "reviewed"])
    return row


def _held(row: TrainingRow) -> TrainingRow:
    """Lock a row inside a transaction and return it as it is now. :raises RowNotFound: it is gone."""
    held = TrainingRow.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if held is None:
        raise RowNotFound
    return held


def review_unflagged(*, actor: Actor, dataset: TrainingDataset, kinds: Collection[str] = ()) -> int:
    """Approve every proposed row of the draft that was looked at and on which nothing was found; return how many.

    :raises NotAllowed: the actor may only read. :raises BuildRefused: a build is under way, which may find something.
    :raises RowRefused: rows were not checked since limits or kept out questions changed.
    """
    version = open_draft(dataset, actor=actor)
    with transaction.atomic():
        hold_draft(version)
        if is_busy(dataset):
            raise BuildRefused(BUSY)
        version.refresh_from_db(fields=["checks"])
        if why := outdated(version):
            raise RowRefused(why)
        rows = version.rows.filter(state=TrainingRow.State.PROPOSED, tokens__gt=0)
        rows = rows.filter(kind__in=kinds) if kinds else rows
        # Compared here: databases differ in how they compare JSON.
        clean = [pk for pk, flags in rows.values_list("pk", "flags") if not flags]
        return version.rows.filter(pk__in=clean).update(
            state=TrainingRow.State.APPROVED, reviewed_by_id=actor.user_id or None, reviewed=timezone.now()
        )
