"""Questions of a tenant that ended without an answer, the same question once."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from chatapp.conversations.models import AnswerRun, Assistant, ContextPassage
from chatapp.unanswered.models import Mark
from knowledge.documents.access import visible_knowledge_bases
from knowledge.documents.models import Document
from knowledge.tenants.access import Actor

__all__ = ["Near", "Question", "key_of", "no_answers", "unanswered", "with_places"]

MOST = 5_000
"""Runs that are looked at, newest first."""

NEAREST = 3
"""Passages named with a question."""

GATES = {
    "search": "Nothing was found that is likely to answer it.",
    "model": "The language model found no answer in what was found.",
    "checks": "Most of the answer was not held by its sources, and was withheld.",
    "erased": "Something was found; what the language model made of it was erased with its source.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A passage that came nearest, in a document its reader may open."""

    document: str
    version: int
    start: int
    end: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with what is known of the last time it was asked."""

    key: str
    run: UUID  # the newest
    text: str
    count: int
    last: datetime
    gate: str
    bases: Sequence[str]  # ids
    state: str  # "open", "done" or "ignored"
    again: bool = False  # it was done, and has been asked since
    searched: Sequence[str] = ()  # names of the bases that are still there
    gone: int = 0  # how many are not
    nearest: Sequence[Near] = field(default=())

    @property
    def why(self) -> str:
        return GATES[self.gate]


def key_of(text: str) -> str:
    """Return the same key for the same words, whatever their case, spacing and punctuation."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return hashlib.sha256(" ".join(words or [text.strip()]).encode("utf-8", "surrogatepass")).hexdigest()


def no_answers(*, actor: Actor) -> QuerySet[AnswerRun]:
    """Return the runs of the actor's tenant that searched and ended without an answer, whoever asked."""
    rows = AnswerRun.objects.filter(tenant_id=actor.tenant_id, no_answer=True, status=AnswerRun.Status.DONE)
    return rows.exclude(answer_mode=Assistant.AnswerMode.FINE_TUNED)


def unanswered(*, actor: Actor, days: int) -> list[Question]:
    """Return the questions of the last days, those asked most often first."""
    rows = no_answers(actor=actor).filter(started__gte=timezone.now() - timedelta(days=days))
    # What the model wrote may have been erased; that passages were read stays.
    rows = rows.annotate(read=Exists(ContextPassage.objects.filter(run=OuterRef("pk"))))
    # Not the traces of searches: they are large, and only a page of them is needed (``with_places``).
    rows = rows.select_related("question").only("started", "raw_output", "knowledge_bases", "question__text")
    marks = {mark.key: mark for mark in Mark.objects.filter(tenant_id=actor.tenant_id)}
    found: dict[str, Question] = {}
    for run in rows.order_by("-started")[:MOST]:
        key = key_of(run.question.text)
        if key in found:
            found[key] = replace(found[key], count=found[key].count + 1)
        else:
            found[key] = _question(key, run, marks.get(key))
    return sorted(found.values(), key=lambda each: (-each.count, -each.last.timestamp()))


def _question(key: str, run: AnswerRun, mark: Mark | None) -> Question:
    again = mark is not None and mark.state == Mark.State.DONE and run.started > mark.at
    return Question(
        key=key, run=run.pk, text=run.question.text, count=1, last=run.started,
        gate=_gate(run),
        bases=run.knowledge_bases, state=mark.state if mark is not None and not again else "open", again=again,
    )  # fmt: skip


def _gate(run: Any) -> str:
    if not run.read:
        return "search"
    if not run.raw_output:
        return "erased"
    return "model" if run.raw_output.lstrip().startswith("NO_ANSWER") else "checks"


def with_places(questions: Sequence[Question], *, actor: Actor) -> list[Question]:
    """Return the questions with what was searched and what came nearest, as far as the actor may see it."""
    runs = [question.run for question in questions]
    related = dict(AnswerRun.objects.filter(pk__in=runs).values_list("pk", "retrieval__search__related"))
    read = _read(runs)
    refs = {run: [*(related.get(run) or ()), *read.get(run, ())][:NEAREST] for run in runs}
    bases = dict(visible_knowledge_bases(actor=actor).values_list("pk", "name"))
    titles = _titles((ref["document"] for found in refs.values() for ref in found), bases)
    return [
        replace(
            question,
            searched=sorted(bases[UUID(pk)] for pk in question.bases if UUID(pk) in bases),
            gone=sum(UUID(pk) not in bases for pk in question.bases),
            nearest=[
                Near(**{k: ref[k] for k in ("document", "version", "start", "end")}, title=titles[ref["document"]])
                for ref in refs[question.run]
                if ref["document"] in titles
            ],
        )
        for question in questions
    ]


def _read(runs: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return the passages that answers were written from, best first, by run."""
    rows = ContextPassage.objects.filter(run__in=runs).order_by("run", "-score", "pk")
    found: dict[UUID, list[dict[str, Any]]] = {}
    for run, document, version, start, end in rows.values_list("run", "document_ref", "version", "start", "end"):
        place = {"document": str(document), "version": version, "start": start, "end": end}
        found.setdefault(run, []).append(place)
    return found


def _titles(documents: Iterable[str], bases: Mapping[UUID, str]) -> dict[str, str]:
    rows = Document.objects.alive().filter(pk__in=set(documents), knowledge_base__in=list(bases))
    return {str(pk): title for pk, title in rows.values_list("pk", "title")}
