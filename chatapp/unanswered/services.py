"""Writes: what editors decided."""

from __future__ import annotations

from django.utils import timezone

from chatapp.conversations.access import RunNotFound
from chatapp.unanswered.models import Mark
from chatapp.unanswered.selectors import key_of, no_answers
from knowledge.documents.access import as_uuid
from knowledge.tenants.access import Actor


def mark(*, actor: Actor, run: object, state: str) -> None:
    """Note a decision about the question of a run, or take it back with ``open``.

    :raises RunNotFound: the tenant has no such question without an answer.
    """
    pk = as_uuid(run)
    row = no_answers(actor=actor).select_related("question").filter(pk=pk).first() if pk else None
    if row is None:
        raise RunNotFound
    rows, key = Mark.objects.filter(tenant_id=actor.tenant_id), key_of(row.question.text)
    if state not in Mark.State.values:
        rows.filter(key=key).delete()
        return
    Mark.objects.update_or_create(
        tenant_id=actor.tenant_id, key=key,
        defaults={"state": state, "by_id": actor.user_id or None, "at": timezone.now()},
    )  # fmt: skip
