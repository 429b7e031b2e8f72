"""What of an answer one reader is shown: all of it, or all but what sources say that they may no longer see.

Sources of an answer are those that it read and those that answers before it in the conversation read: a follow-up's
prompt, and the question as it was searched, hold what was said before.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, prefetch_related_objects

from chatapp.conversations.models import AnswerRun, ContextPassage, Message
from chatapp.conversations.redaction import Repeats, redacted, redacted_events
from chatapp.conversations.related import Related, related_of
from chatapp.conversations.standing import SOURCE, Source, Standing, State, source_of, sources
from knowledge.tenants.access import Actor

__all__ = ["WITHHELD", "Shown", "readable_messages", "shown_events", "shown_of", "shown_runs"]

WITHHELD = "[A sentence is left out: you may no longer open its source.]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as its reader gets it."""

    text: str
    sentences: Sequence[Mapping[str, Any]]
    query: str  # the question as it was searched; empty where it is withheld
    standings: Mapping[int, Standing] = field(default_factory=dict)  # by primary key of the passage
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
    found = sorted(runs, key=lambda run: run.started)
    prefetch_related_objects(found, "passages")  # once: those of an answer under way may come between two looks
    own = {source_of(passage) for run in found for passage in run.passages.all()}
    read = _read_in({run.conversation_id for run in found})
    told = own | _sources_of(read)
    known = sources(told, actor=actor)
    withheld = _withheld(read, {source for source in told if known.forbidden(source)})
    related = related_of(found, actor=actor)
    shown = {}
    for run in found:  # oldest first: what is withheld grows from answer to answer
        where = {passage.pk: known.standing(passage) for passage in run.passages.all()}
        so_far = withheld[run.conversation_id].until(run.started) if run.conversation_id in withheld else None
        shown[run.pk] = replace(_shown(run, so_far), standings=where, related=related[run.pk])
    return shown


def _read_in(conversations: Collection[UUID]) -> QuerySet[ContextPassage]:
    return ContextPassage.objects.filter(run__conversation__in=conversations)


def _sources_of(read: QuerySet[ContextPassage]) -> set[Source]:
    return set(read.values_list(*SOURCE).distinct())


class _Withheld:
    """What of a conversation a reader may no longer see, from its beginning to some answer."""

    def __init__(self) -> None:
        self.passages: set[int] = set()
        self.keys: set[str] = set()
        self.repeats = Repeats()
        self._later: deque[tuple[datetime, int, str, str]] = deque()
        self._words: set[str] = set()

    def read(self, started: datetime, passage: int, key: str, words: str) -> None:
        """Take in a passage that the answer begun at that time read; they come in the order of time."""
        self._later.append((started, passage, key, words))

    def until(self, started: datetime) -> _Withheld | None:
        """Go on to the answer begun at that time; None where nothing is withheld so far."""
        while self._later and self._later[0][0] <= started:
            _, passage, key, words = self._later.popleft()
            self.passages.add(passage)
            self.keys.add(key)
            if words not in self._words:
                self._words.add(words)
                self.repeats.add(words)
        return self if self.passages else None


def _withheld(read: QuerySet[ContextPassage], closed: Collection[Source]) -> dict[UUID, _Withheld]:
    """Return what is withheld of each conversation. As a rule there is nothing, and nothing is asked."""
    found: defaultdict[UUID, _Withheld] = defaultdict(_Withheld)
    if closed:
        rows = read.filter(document_ref__in={source[0] for source in closed}).order_by("run__started", "pk")
        fields = ("run__conversation", "run__started", "pk", "key", "snapshot__text")
        for conversation, started, pk, key, words, *source in rows.values_list(*fields, *SOURCE):
            if tuple(source) in closed:
                found[conversation].read(started, pk, str(key), words or "")
    return dict(found)


def _shown(run: AnswerRun, withheld: _Withheld | None) -> Shown:
    if withheld is None:
        return Shown(text=run.answer.text, sentences=run.sentences, query=run.query)
    text, sentences, gone = redacted(
        run.answer.text, run.sentences, notice=WITHHELD, repeats=withheld.repeats,
        cited={c.sentence for c in run.citations.all() if c.passage_id in withheld.passages},
    )  # fmt: skip
    return Shown(text=text, sentences=sentences, query="", gone=frozenset(gone), hidden=frozenset(withheld.keys))


def readable_messages(messages: Sequence[Message], *, actor: Actor) -> list[Message]:
    """Return messages with what the actor may read of their answers: what a model is told, it may say again."""
    told = _sources_of(_read_in({message.conversation_id for message in messages}))
    known = sources(told, actor=actor)
    if not any(map(known.forbidden, told)):
        return list(messages)
    answers = [message.pk for message in messages if message.role == Message.Role.ASSISTANT]
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
