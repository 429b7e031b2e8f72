"""What this app keeps that names a deleted document."""

from __future__ import annotations

from chatapp.conversations.models import ContextPassage
from chatapp.labelling.models import SentenceLabel
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register

__all__ = ["register_all"]


def register_all() -> None:
    """Name the place of this package."""
    register(Place(key="labels", name="Labels of sentences that rest on it", rule=Rule.WORDLESS, count=_count))


def _count(subject: Subject) -> Found:
    runs = ContextPassage.objects.filter(run__tenant_id=subject.tenant, document_ref=subject.document).values("run")
    count = SentenceLabel.objects.filter(tenant_id=subject.tenant, run_ref__in=runs).count()
    return Found(count=count, note="Numbers about sentences, no words.")
