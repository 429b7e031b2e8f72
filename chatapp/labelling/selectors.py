"""Reads: labels as figures take them, and records."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection

from django.db.models import QuerySet

from chatapp.answering.verification import default_record
from chatapp.labelling.figures import Agreement, Marked, agreement
from chatapp.labelling.models import SentenceLabel, VerificationRecord
from knowledge.tenants.access import Actor

__all__ = ["agreement_of", "counts", "last_label", "marked", "records_of", "told_wrong"]

SUPPORTED, UNSURE = SentenceLabel.Label.SUPPORTED, SentenceLabel.Label.UNSURE


def marked(tenant_id: uuid.UUID) -> list[Marked]:
    """Return the tenant's labelled sentences, each once, by the majority of those who were sure; a tie tells nothing.
    Labels of another verifier's chances are left out."""
    by_sentence: dict[tuple[uuid.UUID, int], list[SentenceLabel]] = defaultdict(list)
    rows = SentenceLabel.objects.filter(tenant_id=tenant_id, verifier=default_record().verifier)
    for row in rows.exclude(label=UNSURE).order_by("pk"):
        by_sentence[row.run_ref, row.sentence].append(row)
    found = []
    for labels in by_sentence.values():
        held = sum(row.label == SUPPORTED for row in labels)
        if 2 * held != len(labels):
            first = labels[0]
            found.append(_marked(first, held=2 * held > len(labels)))
    return found


def _marked(row: SentenceLabel, *, held: bool) -> Marked:
    return Marked(
        chance=row.chance, held=held, open=row.open, at_random=row.at_random, verdict=row.verdict,
        judged_by=row.judged_by,
    )  # fmt: skip


def told_wrong(tenant_id: uuid.UUID, runs: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of some answers of which somebody labelled a sentence as not supported."""
    wrong = SentenceLabel.objects.filter(tenant_id=tenant_id, label=SentenceLabel.Label.NOT_SUPPORTED, run_ref__in=runs)
    return set(wrong.values_list("run_ref", flat=True))


def counts(tenant_id: uuid.UUID) -> Counter[str]:
    """Return how often each label was given."""
    return Counter(SentenceLabel.objects.filter(tenant_id=tenant_id).values_list("label", flat=True))


def agreement_of(tenant_id: uuid.UUID) -> Agreement | None:
    rows = SentenceLabel.objects.filter(tenant_id=tenant_id).exclude(label=UNSURE)
    return agreement(
        ((run, sentence), label) for run, sentence, label in rows.values_list("run_ref", "sentence", "label")
    )


def last_label(*, actor: Actor) -> SentenceLabel | None:
    rows = SentenceLabel.objects.filter(tenant_id=actor.tenant_id, by_id=actor.user_id)
    return rows.order_by("-changed", "-pk").first()


def records_of(tenant_id: uuid.UUID) -> QuerySet[VerificationRecord]:
    """Return the tenant's records, newest first."""
    return VerificationRecord.objects.filter(tenant_id=tenant_id).select_related("by").order_by("-created", "-pk")
