"""What an address of the search page asks for: which question, where, with which settings, beside what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from chatapp.conversations.access import access_assistant, access_run, visible_assistants
from chatapp.conversations.models import AnswerRun, Assistant
from chatapp.conversations.retrieval import chat_query, profile_of, query_of_trace, wordless
from chatapp.conversations.services import bases_of
from chatapp.conversations.shown import Shown, shown_of
from chatapp.searching.forms import SearchForm, changed_settings
from knowledge.documents.access import access_knowledge_bases, visible_knowledge_bases
from knowledge.documents.models import KnowledgeBase
from knowledge.retrieval.base import RetrievalProfile
from knowledge.tenants.access import Actor
from knowledge.types import Query, Turn

NO_MODEL_WINDOW = 8192  # tokens, where no assistant says which model will read

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Everything an address stands for, fetched through the doors of its reader."""

    form: SearchForm
    assistants: list[Assistant]
    assistant: Assistant | None
    bases: list[KnowledgeBase]  # that may be chosen
    named: list[KnowledgeBase]  # that were chosen
    searched: list[KnowledgeBase]
    query: Query | None  # None: nothing was asked, or not properly
    saved: Settings  # that differ from the product's own
    changed: Settings  # what the address changes in them
    wrong: Mapping[str, str] = field(default_factory=dict)  # setting -> why its value is refused
    run: AnswerRun | None = None  # the answer that is replayed
    shown: Shown | None = None  # and what of it the actor may see
    notes: tuple[str, ...] = ()

    @property
    def saved_profile(self) -> RetrievalProfile:
        return profile_of(self.saved)

    @property
    def tried(self) -> Settings:
        return {**self.saved, **self.changed}


def asked_of(given: QueryDict, *, actor: Actor) -> Asked:
    """Read an address.

    :raises NotFound: the answer, the assistant or a knowledge base is not there for this actor.
    """
    if given.get("run"):
        return _replayed(given, access_run(actor=actor, pk=given["run"]), actor=actor)
    form = SearchForm(given)
    assistants = list(visible_assistants(actor=actor))
    assistant = _assistant(given.get("assistant", ""), assistants, actor=actor)
    named = access_knowledge_bases(actor=actor, pks=given.getlist("base"))
    bases = list(visible_knowledge_bases(actor=actor).order_by("name", "pk"))
    saved = dict(assistant.retrieval) if assistant else {}
    changed, wrong = changed_settings(given, saved=saved)
    return Asked(
        form=form, assistants=assistants, assistant=assistant, bases=bases, named=named,
        searched=named or (bases_of(actor=actor, assistant=assistant) if assistant else bases),
        query=_query(form, assistant) if form.is_valid() else None, saved=saved, changed=changed, wrong=wrong,
    )  # fmt: skip


def _assistant(slug: str, assistants: list[Assistant], *, actor: Actor) -> Assistant | None:
    """The one that was named, else the default one, else any."""
    if slug:
        return access_assistant(actor=actor, slug=slug)
    return next((one for one in assistants if one.slug == "default"), assistants[0] if assistants else None)


def _query(form: SearchForm, assistant: Assistant | None) -> Query | None:
    """Ask as the chat would, so that what is found is what an answer would be written from."""
    data = form.cleaned_data
    if not data["q"]:
        return None
    turns = (Turn(role="user", text=data["previous"]), Turn(role="assistant", text=data["answer"]))
    model = assistant.language_model if assistant else None
    return chat_query(
        question=data["q"], history=[turn for turn in turns if turn.text], limit=form.passages, explain=True,
        context_window=model.context_window if model else NO_MODEL_WINDOW,
    )  # fmt: skip


def _replayed(given: QueryDict, run: AnswerRun, *, actor: Actor) -> Asked:
    """The question of a stored answer with the turns, knowledge bases and settings it had."""
    shown = shown_of(run, actor=actor)
    trace = run.retrieval if shown.whole else wordless(run.retrieval)
    bases = list(visible_knowledge_bases(actor=actor).filter(pk__in=run.knowledge_bases).order_by("name", "pk"))
    notes = []
    if len(bases) < len(run.knowledge_bases):
        notes.append("Not every knowledge base that was searched then is still there.")
    if not shown.whole:
        notes.append("You may no longer open every source of this answer: it is searched without earlier turns.")
    elif not trace:
        notes.append("This answer is older than the traces of searches: it is searched without earlier turns.")
    saved = dict(trace.get("settings", {}))
    changed, wrong = changed_settings(given, saved=saved)
    form = SearchForm({"q": run.question.text})
    form.is_valid()
    return Asked(
        form=form, assistants=[run.assistant] if run.assistant else [], assistant=run.assistant, bases=bases,
        named=bases, searched=bases, query=query_of_trace(trace, question=run.question.text), saved=saved,
        changed=changed, wrong=wrong, run=run, shown=shown, notes=tuple(notes),
    )  # fmt: skip
