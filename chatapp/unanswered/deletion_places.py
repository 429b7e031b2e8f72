"""What this app keeps that names a deleted document."""

from __future__ import annotations

from chatapp.conversations.models import AnswerRun
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register

__all__ = ["register_all"]


def register_all() -> None:
    """Name the place of this package."""
    register(
        Place(key="unanswered", name="Questions without an answer that came near it", rule=Rule.WORDLESS, count=_count)
    )


def _count(subject: Subject) -> Found:
    rows = AnswerRun.objects.filter(tenant_id=subject.tenant, no_answer=True, passages__document_ref=subject.document)
    note = "Questions are what people wrote, and stay; of the document they name the place, no words."
    return Found(count=rows.distinct().count(), note=note)
