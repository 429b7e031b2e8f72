"""Rows from answers that were given: those whose every sentence its sources hold, and those that people found wrong.

Only first questions of a conversation are taken: rows have one turn, and what was said before would bring words along
whose sources no row names.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from chatapp.conversations.access import visible_runs
from chatapp.conversations.models import AnswerRun, Citation, ContextPassage
from chatapp.conversations.standing import standings
from chatapp.finetuning.datasets.models import RowSource, TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.raft import fence_of
from chatapp.finetuning.datasets.shapes import Proposal, SourceOf
from chatapp.language_models.services import EXTRACTIVE
from knowledge.tenants.access import Actor

__all__ = ["LEFT_OUT", "MOST", "Found", "answer_ids", "from_answers", "use_labels"]

MOST = 1_000
"""Answers that are looked at, newest first."""

HELD = frozenset({"supported", "exempt"})
LEFT_OUT = {
    "follow_up": "asked after another question",
    "no_model": "written without a language model",
    "not_held": "with a sentence that its sources do not hold",
    "closed": "with a source that you may not open, or that is deleted",
    "wrong": "that somebody labelled as not supported",
    "other_base": "from other knowledge bases",
}
"""Why answers are no rows, as said after “answers”."""

_FENCE = re.compile(r"SOURCE-[0-9a-f]{16}")

_told_wrong: Callable[[uuid.UUID, Collection[uuid.UUID]], set[uuid.UUID]] = lambda _, __: set()  # noqa: E731


def use_labels(told_wrong: Callable[[uuid.UUID, Collection[uuid.UUID]], set[uuid.UUID]]) -> None:
    """Set who knows which of some answers of a tenant people labelled as not supported."""
    global _told_wrong
    _told_wrong = told_wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rows that answers gave, and how many gave none, by reason (``LEFT_OUT``)."""

    proposals: list[Proposal]
    left_out: Counter[str]


def answer_ids(*, actor: Actor) -> list[str]:
    """Return the ids of the answers the actor may make rows of, newest first: their own, or those of everybody for who
    administers."""
    return [str(pk) for pk in _runs(actor).values_list("pk", flat=True)[:MOST]]


def from_answers(
    dataset: TrainingDataset, ids: Sequence[str], *, actor: Actor, to_correct: bool = False
) -> Found:  # fmt: skip
    """Return rows of answers, as far as the actor may still see them.

    With ``to_correct`` the answers that people labelled as not supported come instead, as feedback: their completion is
    for the reviewer to write anew before such a row can be approved.
    """
    runs = list(_runs(actor).filter(pk__in=ids))
    wrong = _told_wrong(actor.tenant_id, [run.pk for run in runs])
    opens = _opening(runs, actor)
    bases = {str(pk) for pk in dataset.knowledge_bases.values_list("pk", flat=True)}
    proposals, left_out = list[Proposal](), Counter[str]()
    for run in runs:
        if to_correct and run.pk not in wrong:
            continue
        why = _why_not(run, opens, bases) or ("" if to_correct else _why_untrue(run, wrong))
        if why:
            left_out[why] += 1
        else:
            proposals.append(_proposal(run, to_correct=to_correct))
    return Found(proposals=proposals, left_out=left_out)


def _runs(actor: Actor) -> QuerySet[AnswerRun]:
    read = ContextPassage.objects.filter(run=OuterRef("pk"))
    rows = visible_runs(actor=actor).filter(Exists(read), status=AnswerRun.Status.DONE, erased=None)
    rows = rows.exclude(raw_output="").defer("events", "retrieval").select_related("question")
    return rows.prefetch_related("passages").order_by("-started", "pk")


def _opening(runs: list[AnswerRun], actor: Actor) -> set[uuid.UUID]:
    """Return the answers of which the actor may open every passage."""
    where = standings((passage for run in runs for passage in run.passages.all()), actor=actor)
    return {run.pk for run in runs if all(where[passage.pk].opens for passage in run.passages.all())}


def _why_not(run: AnswerRun, opens: Collection[uuid.UUID], bases: Collection[str]) -> str:
    if bases and not set(run.knowledge_bases) <= set(bases):
        return "other_base"
    if run.pk not in opens:
        return "closed"
    if run.model == EXTRACTIVE:
        return "no_model"
    return "" if [message["role"] for message in run.prompt] == ["system", "user"] else "follow_up"


def _why_untrue(run: AnswerRun, wrong: Collection[uuid.UUID]) -> str:
    if run.pk in wrong:
        return "wrong"
    verdicts = {sentence["verdict"] for sentence in run.sentences}
    return "" if verdicts and verdicts <= HELD and (run.no_answer or "supported" in verdicts) else "not_held"


def _proposal(run: AnswerRun, *, to_correct: bool) -> Proposal:
    origin = TrainingRow.Origin.FEEDBACK if to_correct else TrainingRow.Origin.ANSWER
    return Proposal(
        origin=origin, prompt=_with_fence(run), completion=run.raw_output.strip(), sources=tuple(_sources(run)),
        flags={"unverified": ["People labelled it as not supported: correct it."]} if to_correct else {},
    )  # fmt: skip


def _with_fence(run: AnswerRun) -> list[dict[str, str]]:
    """Return the prompt as it was, but with a fence that is the same whenever the row is made."""
    fence = fence_of(str(run.pk), 0)
    return [{**message, "content": _FENCE.sub(fence, message["content"])} for message in run.prompt]


def _sources(run: AnswerRun) -> Iterator[SourceOf]:
    yield SourceOf(role=RowSource.Role.ANSWER, run=run.pk)
    cited = Citation.objects.filter(run=run).values_list("passage_id", "start", "end")
    spans: dict[int, list[tuple[int, int]]] = {}
    for pk, start, end in cited:
        spans.setdefault(pk, []).append((start, end))
    for passage in sorted(run.passages.all(), key=lambda each: each.pk):
        found = spans.get(passage.pk)
        for start, end in found or [(passage.start, passage.end)]:
            yield SourceOf(
                role=RowSource.Role.ORACLE if found else RowSource.Role.DISTRACTOR, document=passage.document_ref,
                base=passage.base_ref, version=passage.version, start=start, end=end, title=passage.title, run=run.pk,
            )  # fmt: skip
