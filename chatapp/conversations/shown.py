"""What of an answer one reader is shown: all of it, or all but what sources say that they may no longer see.

Sources of an answer are those that it read and those that answers before it in the conversation read: a follow-up's
prompt, and the question as it was searched, hold what was said before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects

from chatapp.conversations.models import AnswerRun, ContextPassage, Message, PassageSnapshot
from chatapp.conversations.redaction import Repeats, redacted, redacted_events
from chatapp.conversations.related import Related, related_of
from chatapp.conversations.standing import Standing, State, standings
from knowledge.tenants.access import Actor

__all__ = ["WITHHELD", "Shown", "readable_messages", "shown_events", "shown_of", "shown_runs"]

WITHHELD = "[A sentence is left out: you may no longer open its source.]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as its reader gets it."""

    text: str
    sentences: Sequence[Mapping[str, Any]]
    query: str  # the question as it was searched; empty where it is withheld
    standings: Mapping[int, Standing]  # by primary key of the passage
    related: Sequence[Related] = ()  # where the search returned nothing
    gone: frozenset[int] = frozenset()  # indexes of sentences that are left out
    hidden: frozenset[str] = frozenset()  # keys of passages that are, here or in answers before

    @property
    def whole(self) -> bool:
        """Whether the reader may see every source: only then prompt, raw output and search are theirs to read."""
        return not self.hidden

    def forbidden(self, passage: ContextPassage) -> bool:
        return self.standings[passage.pk].state is State.FORBIDDEN


def shown_of(run: AnswerRun, *, actor: Actor) -> Shown:
    return shown_runs([run], actor=actor)[run.pk]


def shown_runs(runs: Iterable[AnswerRun], *, actor: Actor) -> dict[Any, Shown]:
    """Return what the reader gets of each answer, by its primary key; where sources stand is asked once for all."""
    found = list(runs)
    prefetch_related_objects(found, "passages")  # once: those of an answer under way may come between two looks
    own = [passage for run in found for passage in run.passages.all()]
    read = {passage.pk: passage for passage in (*own, *_read_in({run.conversation_id for run in found}))}
    where = standings(read.values(), actor=actor)
    closed = [passage for pk, passage in read.items() if where[pk].state is State.FORBIDDEN]
    # Of the whole conversation only these words are needed, and as a rule there are none.
    texts = PassageSnapshot.objects.filter(pk__in={passage.snapshot_id for passage in closed})
    words: dict[int | None, str] = dict(texts.values_list("pk", "text"))
    related = related_of(found, actor=actor)
    return {run.pk: replace(_shown(run, where, closed, words), related=related[run.pk]) for run in found}


def _read_in(conversations: Collection[UUID]) -> list[ContextPassage]:
    """Return what the answers of conversations read and when, without its words."""
    rows = ContextPassage.objects.filter(run__conversation__in=conversations).select_related("run")
    facts = (
        "key",
        "document_ref",
        "base_ref",
        "closed",
        "version",
        "snapshot__erased",
        "run__conversation",
        "run__started",
    )
    return list(rows.only(*facts))


def _shown(
    run: AnswerRun, where: Mapping[int, Standing], closed: Iterable[ContextPassage], words: Mapping[int | None, str]
) -> Shown:  # fmt: skip
    mine = {passage.pk: where[passage.pk] for passage in run.passages.all()}
    hidden = [passage for passage in closed if passage.pk in mine or _before(passage.run, run)]
    if not hidden:
        return Shown(text=run.answer.text, sentences=run.sentences, query=run.query, standings=mine)
    pks = {passage.pk for passage in hidden}
    text, sentences, gone = redacted(
        run.answer.text, run.sentences, notice=WITHHELD,
        cited={c.sentence for c in run.citations.all() if c.passage_id in pks},
        repeats=Repeats(words.get(passage.snapshot_id, "") for passage in hidden),
    )  # fmt: skip
    return Shown(
        text=text, sentences=sentences, query="", standings=mine, gone=frozenset(gone),
        hidden=frozenset(str(passage.key) for passage in hidden),
    )  # fmt: skip


def _before(earlier: AnswerRun, run: AnswerRun) -> bool:
    return earlier.conversation_id == run.conversation_id and earlier.started <= run.started


def readable_messages(messages: Sequence[Message], *, actor: Actor) -> list[Message]:
    """Return messages with what the actor may read of their answers: what a model is told, it may say again."""
    answers = [message.pk for message in messages if message.role == Message.Role.ASSISTANT]
    read = _read_in({message.conversation_id for message in messages})
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
    return redacted_events(run.events, text=shown.text, query=shown.query, gone=shown.gone, keys=shown.hidden)
