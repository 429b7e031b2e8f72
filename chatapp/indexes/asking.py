"""Questions that people really asked of a knowledge base."""

from __future__ import annotations

from chatapp.conversations.models import AnswerRun
from chatapp.conversations.retrieval import query_of_trace
from chatapp.evaluation.question_files import Asked
from chatapp.unanswered.selectors import key_of
from knowledge.documents.models import KnowledgeBase
from knowledge.tenants.access import Actor

__all__ = ["recent_questions"]

LOOKED_AT = 5_000
"""Runs, newest first."""


def recent_questions(*, actor: Actor, base: KnowledgeBase, most: int) -> list[Asked]:
    """Return the questions asked last of the base, each once, with the turns they were asked after.

    Administrators compare by everybody's, others by their own. Answers that were erased are left out, and what was
    answered without a search.
    """
    runs = AnswerRun.objects.filter(tenant_id=actor.tenant_id, status=AnswerRun.Status.DONE, erased__isnull=True)
    if not actor.can_administer:
        runs = runs.filter(conversation__user_id=actor.user_id)
    # Not the traces of their searches: they are large, and only those of a few are needed.
    rows = runs.order_by("-started").values_list("pk", "question__text", "knowledge_bases", "retrieval__limit")
    chosen: dict[str, object] = {}
    for pk, text, bases, searched in rows[:LOOKED_AT]:
        if searched is not None and str(base.pk) in bases and text.strip():
            chosen.setdefault(key_of(text), pk)
        if len(chosen) == most:
            break
    found = AnswerRun.objects.filter(pk__in=list(chosen.values())).select_related("question")
    queries = [query_of_trace(run.retrieval, question=run.question.text) for run in found.order_by("-started")]
    return [Asked(text=query.text, history=query.history, rewritten=query.rewritten) for query in queries]
