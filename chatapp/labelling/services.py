"""Writes: labels, and the records of thresholds fitted to them."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from chatapp.answering.verification import default_record
from chatapp.labelling import figures, records
from chatapp.labelling.models import SentenceLabel, VerificationRecord
from chatapp.labelling.queue import access_sentence
from chatapp.labelling.selectors import marked
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor, require_administrator, require_editor

__all__ = ["CannotFit", "RecordNotFound", "activate_record", "fit_record", "label_sentence", "reset_record", "undo"]

EVERYBODYS = "Only administrators change what the check says of everybody's answers."


class CannotFit(KnowledgeError):
    code = "cannot_fit"
    status = 422
    default_message = "Thresholds cannot be fitted to these labels."


class LabelRefused(KnowledgeError):
    code = "bad_label"
    status = 422
    default_message = "A sentence is supported, not supported, or you are unsure."


class RecordNotFound(NotFound):
    default_message = "No such record."


def label_sentence(*, actor: Actor, run: object, index: int, label: str) -> SentenceLabel:
    """Keep what the actor says of a sentence; a second label replaces the first.

    :raises NotAllowed: the actor may only read. :raises LabelRefused: it is no label.
    :raises SentenceNotFound: there is no such sentence for this actor.
    """
    require_editor(actor)
    if label not in SentenceLabel.Label.values:
        raise LabelRefused
    candidate = access_sentence(actor=actor, run=run, index=index)
    row, _ = SentenceLabel.objects.update_or_create(
        tenant_id=actor.tenant_id, run_ref=candidate.run.pk, sentence=candidate.index, by_id=actor.user_id,
        defaults={
            "label": label, "verdict": candidate.verdict, "chance": candidate.chance, "open": candidate.open,
            "judged_by": candidate.judged_by, "at_random": candidate.at_random,
            "verifier": candidate.verifier,
        },
    )  # fmt: skip
    return row


def undo(*, actor: Actor) -> SentenceLabel | None:
    """Take back the actor's last label and return what it was; None where there is none.

    :raises NotAllowed: the actor may only read.
    """
    require_editor(actor)
    rows = SentenceLabel.objects.filter(tenant_id=actor.tenant_id, by_id=actor.user_id)
    last = rows.order_by("-changed", "-pk").first()
    if last is not None:
        SentenceLabel.objects.filter(pk=last.pk).delete()
    return last


def fit_record(*, actor: Actor) -> VerificationRecord:
    """Fit thresholds to the tenant's labels and keep the record, not active yet.

    :raises NotAllowed: the actor does not administer the tenant.
    :raises CannotFit: there are too few labels, or a model has the last word and no threshold counts.
    """
    require_administrator(actor, EVERYBODYS)
    if settings.VERIFY_MODEL_DIR or settings.VERIFY_MODEL:
        raise CannotFit(
            "A model (VERIFY_MODEL_DIR or VERIFY_MODEL) has the last word on what these thresholds would decide."
        )
    shipped, rows = default_record(), marked(actor.tenant_id)
    curve = figures.curve(rows)
    try:
        found = figures.fitted(rows, shipped=shipped.supported)
    except figures.TooFewLabels as err:
        raise CannotFit(str(err)) from err
    if curve is None:
        raise CannotFit("Of the sentences drawn at random one kind is still missing.")
    return VerificationRecord.objects.create(
        tenant_id=actor.tenant_id, verifier=shipped.verifier, supported=found.supported,
        unsupported=found.unsupported, held=found.held, others=found.others, auroc=round(curve.auroc, 4),
        auroc_low=round(curve.low, 4), auroc_high=round(curve.high, 4), by_id=actor.user_id or None,
        balanced_accuracy=round(found.balanced_accuracy, 4), shipped_accuracy=round(found.shipped_accuracy, 4),
    )  # fmt: skip


@transaction.atomic
def activate_record(*, actor: Actor, pk: object) -> VerificationRecord:
    """Check later answers of the tenant by this record.

    :raises NotAllowed: the actor does not administer the tenant.
    :raises RecordNotFound: the tenant has no such record, or it is of another verifier.
    """
    require_administrator(actor, EVERYBODYS)
    rows = VerificationRecord.objects.filter(tenant_id=actor.tenant_id)
    wanted = str(pk)
    known = wanted.isascii() and wanted.isdigit() and len(wanted) < 19
    row = rows.filter(pk=int(wanted), verifier=default_record().verifier).first() if known else None
    if row is None:
        raise RecordNotFound
    rows.filter(active=True).update(active=False)
    rows.filter(pk=row.pk).update(active=True)
    transaction.on_commit(lambda: records.forget(actor.tenant_id))
    row.active = True
    return row


def reset_record(*, actor: Actor) -> None:
    """Check later answers of the tenant by the shipped record.

    :raises NotAllowed: the actor does not administer the tenant.
    """
    require_administrator(actor, EVERYBODYS)
    VerificationRecord.objects.filter(tenant_id=actor.tenant_id, active=True).update(active=False)
    records.forget(actor.tenant_id)
