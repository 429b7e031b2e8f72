"""What of an answer one reader is shown: all of it, or all but what sources say that they may no longer see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatapp.conversations.models import AnswerRun, ContextPassage, Message
from chatapp.conversations.redaction import Repeats, redacted, redacted_events
from chatapp.conversations.standing import Standing, State, standings
from knowledge.tenants.access import Actor

__all__ = ["WITHHELD", "Shown", "readable_messages", "shown_events", "shown_of", "shown_runs"]

WITHHELD = "[A sentence is left out: you may no longer open its source.]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as its reader gets it."""

    text: str
    sentences: Sequence[Mapping[str, Any]]
    standings: Mapping[int, Standing]  # by primary key of the passage
    gone: frozenset[int] = frozenset()  # indexes of sentences that are left out
    hidden: frozenset[str] = field(default=frozenset())  # keys of passages that are

    @property
    def whole(self) -> bool:
        """Whether the reader may see every source: only then prompt and raw output are theirs to read."""
        return not self.hidden

    def forbidden(self, passage: ContextPassage) -> bool:
        return self.standings[passage.pk].state is State.FORBIDDEN


def shown_of(run: AnswerRun, *, actor: Actor) -> Shown:
    return shown_runs([run], actor=actor)[run.pk]


def shown_runs(runs: Iterable[AnswerRun], *, actor: Actor) -> dict[Any, Shown]:
    """Return what the reader gets of each answer, by its primary key; where sources stand is asked once for all."""
    found = list(runs)
    where = standings([passage for run in found for passage in run.passages.all()], actor=actor)
    return {run.pk: _shown(run, where) for run in found}


def _shown(run: AnswerRun, where: Mapping[int, Standing]) -> Shown:
    passages = list(run.passages.all())
    mine = {passage.pk: where[passage.pk] for passage in passages}
    hidden = [passage for passage in passages if mine[passage.pk].state is State.FORBIDDEN]
    if not hidden:
        return Shown(text=run.answer.text, sentences=run.sentences, standings=mine)
    pks = {passage.pk for passage in hidden}
    text, sentences, gone = redacted(
        run.answer.text, run.sentences, notice=WITHHELD,
        cited={c.sentence for c in run.citations.all() if c.passage_id in pks},
        repeats=Repeats(passage.text for passage in hidden),
    )  # fmt: skip
    return Shown(
        text=text, sentences=sentences, standings=mine, gone=frozenset(gone),
        hidden=frozenset(str(passage.key) for passage in hidden),
    )  # fmt: skip


def readable_messages(messages: Sequence[Message], *, actor: Actor) -> list[Message]:
    """Return messages with what the actor may read of their answers: what a model is told, it may say again."""
    answers = [message.pk for message in messages if message.role == Message.Role.ASSISTANT]
    read = ContextPassage.objects.filter(run__answer__in=answers).defer("snapshot__text")
    if not any(where.state is State.FORBIDDEN for where in standings(read, actor=actor).values()):
        return list(messages)
    runs = AnswerRun.objects.filter(answer__in=answers).select_related("answer")
    found = list(runs.prefetch_related("passages", "citations"))
    shown = shown_runs(found, actor=actor)
    texts = {run.answer_id: shown[run.pk].text for run in found}
    return [Message(pk=m.pk, role=m.role, text=texts.get(m.pk, m.text)) for m in messages]


def shown_events(run: AnswerRun, *, actor: Actor) -> list[dict[str, Any]] | None:
    """Return the events of an answer that has ended as its reader may have them again; None where that is all."""
    if run.status == AnswerRun.Status.RUNNING:
        return None  # whoever asked a moment ago may read what was found for them
    shown = shown_of(run, actor=actor)
    if shown.whole:
        return None
    return redacted_events(run.events, text=shown.text, gone=shown.gone, keys=shown.hidden)
