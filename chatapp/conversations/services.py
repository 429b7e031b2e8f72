"""Writes: assistants, conversations, and the rows of a run from question to stored answer."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from chatapp.accounts.models import User
from chatapp.answering import AnswerMode, CitationMode, OutputSchema, mode_of
from chatapp.answering.gate import Enforcement
from chatapp.conversations import access, audit, erasing, snapshots
from chatapp.conversations.citations import locate
from chatapp.conversations.models import (
    AnswerRun,
    Assistant,
    Citation,
    ContextPassage,
    Conversation,
    Message,
    PassageSnapshot,
)
from chatapp.conversations.outputs import output_of_question, system_prompt_of
from chatapp.conversations.policies import answer_rules
from chatapp.conversations.retrieval import (
    chat_query,
    checked_settings,
    profile_of,
    rewritten_trace,
    trace_of,
)
from chatapp.conversations.shown import readable_messages
from chatapp.conversations.verifying import Thresholds, thresholds_of, verification_of
from chatapp.language_models import budgets
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.services import model_settings
from knowledge.documents.access import access_knowledge_bases, scope_of, visible_knowledge_bases
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.errors import KnowledgeError, ModelNotConfigured
from knowledge.llm import ModelSettings
from knowledge.retrieval.base import RetrievalProfile
from knowledge.tenants.access import Actor
from knowledge.tenants.models import Tenant
from knowledge.types import Query, Rewritten, Scope, Turn

HISTORY_TURNS = 8


class QuestionRefused(KnowledgeError):
    code = "question_refused"
    status = 422
    default_message = "The question is empty."


class QuestionTooLong(QuestionRefused):
    code = "question_too_long"
    status = 413


def ensure_default_assistant(
    *, tenant: Tenant, knowledge_bases: Iterable[KnowledgeBase], language_model: LanguageModel
) -> Assistant:
    """Return the tenant's ``default`` assistant with the given model, unless a person chose another from the catalogue;
    its bases are set only when it is made."""
    assistant, created = Assistant.objects.get_or_create(
        tenant=tenant, slug="default", defaults={"name": "Default", "language_model": language_model}
    )
    if created:
        assistant.knowledge_bases.set(knowledge_bases)
    elif assistant.language_model_id != language_model.pk and _came_by_itself(assistant.language_model):
        assistant.language_model = language_model
        assistant.save(update_fields=["language_model"])
    return assistant


def _came_by_itself(model: LanguageModel | None) -> bool:
    return model is None or model.source in (LanguageModel.Source.BUILT_IN, LanguageModel.Source.ENVIRONMENT)


def save_retrieval(*, actor: Actor, slug: str, settings: object) -> Assistant:
    """Let an assistant search with these settings from its next question on.

    :raises AssistantNotFound: the tenant has none of that name. :raises NotAllowed: the actor may not edit.
    :raises SettingRefused: a setting is unknown or out of range.
    """
    assistant = access.access_assistant_to_edit(actor=actor, slug=slug)
    assistant.retrieval = checked_settings(settings)
    assistant.save(update_fields=["retrieval"])
    return assistant


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question as it came in, not yet checked against anything."""

    text: str
    conversation: str | None = None
    assistant: str = "default"
    knowledge_bases: Sequence[str] | None = None
    client_id: str | None = None
    origin: Conversation.Origin = Conversation.Origin.BROWSER  # of the conversation, when this begins one
    history: tuple[Turn, ...] | None = None  # given by API callers; otherwise read from the conversation
    output_schema: Mapping[str, Any] | None = None  # the caller's own, in place of the assistant's


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """Everything the engine needs, so that it asks the database for nothing before the first token."""

    run: AnswerRun
    scope: Scope
    bases: tuple[str, ...]  # names, for the reply that says what was searched
    question: str
    history: tuple[Turn, ...]
    query: Query  # what is searched for
    profile: RetrievalProfile  # and how
    model: ModelSettings
    actor: Actor  # who asks, and pays
    system_prompt: str
    mode: AnswerMode
    output: OutputSchema | None
    citation_mode: CitationMode
    enforcement: Enforcement
    client_id: str | None
    thresholds: Thresholds  # by which its sentences are judged
    resumed: bool = False  # the same client message was sent before: nothing new was stored


def clean_question(text: str) -> str:
    """Return the question without control characters.

    :raises QuestionRefused: nothing readable is left.
    :raises QuestionTooLong: it exceeds ``MAX_QUESTION_BYTES``.
    """
    if len(text.encode("utf-8", "replace")) > settings.MAX_QUESTION_BYTES:
        raise QuestionTooLong(f"The question is longer than {settings.MAX_QUESTION_BYTES // 1024} kB.")
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Co"))
    if not any(unicodedata.category(c)[0] in "LNSP" for c in kept):
        raise QuestionRefused
    return kept.strip()


def start_run(*, actor: Actor, ask: Ask) -> StartedRun:
    """Check the question, store it with an empty answer, and gather what the run needs.

    All reads come before the transaction: SQLite has one writer, and 32 people may ask at once.

    :raises QuestionRefused: the question is empty or too long.
    :raises NotFound: the conversation, assistant or a knowledge base is not there for this actor.
    :raises ModelNotConfigured: the assistant has no model that can be called.
    :raises BudgetExhausted: nobody may ask a model any more today or this month.
    :raises AssistantRefused: the assistant may not answer in its mode, or its model cannot.
    :raises SchemaRefused: the caller's schema is not accepted.
    """
    question = clean_question(ask.text)
    assistant = access.access_assistant(actor=actor, slug=ask.assistant)
    if assistant.language_model is None:
        raise ModelNotConfigured
    bases = bases_of(actor=actor, assistant=assistant, wanted=ask.knowledge_bases)
    conversation = access.access_conversation(actor=actor, pk=ask.conversation) if ask.conversation else None
    earlier = list(conversation.messages.order_by("-created")[:HISTORY_TURNS]) if conversation else []
    history = ask.history if ask.history is not None else _history(readable_messages(earlier, actor=actor))
    conversation_id = conversation.pk if conversation else uuid.uuid4()
    model = model_settings(assistant.language_model, sticky=str(conversation_id))
    _ensure_within_budget(actor, ask)
    query = chat_query(question=question, history=history, context_window=model.context_window)
    mode = mode_of(assistant.answer_mode)
    output = output_of_question(question, assistant=assistant, own=ask.output_schema, model=model)
    citation_mode, enforcement = answer_rules(assistant, has_schema=output is not None)
    bases = bases if mode.searches else []
    thresholds = thresholds_of(actor.tenant_id)
    facts = {
        "assistant": assistant, "knowledge_bases": [str(base.pk) for base in bases], "answer_mode": mode.name,
        "output_schema": dict(output.schema) if output else {}, "model": model.model, "citation_mode": citation_mode,
        "retrieval": trace_of(query, assistant.retrieval) if mode.searches else {},
        "verification": {} if citation_mode == "off" else verification_of(thresholds),
    }  # fmt: skip
    run, resumed = _store_question(actor, ask, conversation, conversation_id, question, earlier, facts)
    return StartedRun(
        run=run,
        scope=scope_of(actor=actor, bases=bases),
        bases=tuple(base.name for base in bases),
        question=question,
        history=history,
        query=query,
        profile=profile_of(assistant.retrieval),
        model=model,
        actor=actor,
        system_prompt=system_prompt_of(assistant, output),
        mode=mode,
        output=output,
        citation_mode=citation_mode,
        enforcement=enforcement,
        thresholds=thresholds,
        client_id=ask.client_id,
        resumed=resumed,
    )


def bases_of(*, actor: Actor, assistant: Assistant, wanted: Sequence[str] | None = None) -> list[KnowledgeBase]:
    """Return the bases named in the request, else the assistant's own, else all the actor may see."""
    if wanted:
        return access_knowledge_bases(actor=actor, pks=wanted)
    own = list(assistant.knowledge_bases.filter(tenant_id=actor.tenant_id, deleting=False))
    return own or list(visible_knowledge_bases(actor=actor))


def _ensure_within_budget(actor: Actor, ask: Ask) -> None:
    """:raises BudgetExhausted: the budget is used up; not for a message sent again, which asks nothing."""
    try:
        budgets.ensure_within(actor)
    except budgets.BudgetExhausted:
        if not (ask.client_id and _runs_of_message(actor, ask.client_id).exists()):
            raise


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= 80 else line[:79] + "…"


def _history(newest_first: Sequence[Message]) -> tuple[Turn, ...]:
    from chatapp.answering.sentinels import strip_sentinels

    turns = [
        Turn(role=m.role, text=strip_sentinels(m.text) if m.role == Message.Role.ASSISTANT else m.text)
        for m in reversed(newest_first)
    ]
    return tuple(turn for turn in turns if turn.text)


def _known_run(actor: Actor, client_id: str | None) -> AnswerRun | None:
    """The run of a message the client has sent before: a repeated frame asks nothing twice.

    Called inside the transaction that stores the question, or a frame sent twice at once would find nothing twice.
    """
    if not client_id:
        return None
    if connection.features.has_select_for_update:  # a transaction of SQLite is alone anyway
        User.objects.select_for_update(no_key=True).get(pk=actor.user_id)
    return _runs_of_message(actor, client_id).first()


def _runs_of_message(actor: Actor, client_id: str) -> QuerySet[AnswerRun]:
    return AnswerRun.objects.filter(
        tenant_id=actor.tenant_id, conversation__user_id=actor.user_id, question__client_id=client_id
    )


def _store_question(
    actor: Actor,
    ask: Ask,
    conversation: Conversation | None,
    conversation_id: uuid.UUID,
    question: str,
    earlier: Sequence[Message],
    facts: Mapping[str, Any],
) -> tuple[AnswerRun, bool]:
    new = Conversation(
        pk=conversation_id, tenant_id=actor.tenant_id, user_id=actor.user_id, title=_title(question),
        origin=ask.origin,
    )  # fmt: skip
    target, now = conversation or new, timezone.now()
    asked = Message(
        conversation=target,
        parent=earlier[0] if earlier else None,
        role=Message.Role.USER,
        text=question,
        client_id=ask.client_id,
    )
    answer = Message(conversation=target, parent=asked, role=Message.Role.ASSISTANT)
    run = AnswerRun(
        tenant_id=actor.tenant_id,
        conversation=target,
        question=asked,
        answer=answer,
        heartbeat=now,
        **facts,
    )
    with transaction.atomic():
        known = _known_run(actor, ask.client_id)
        if known is not None:
            return known, True
        if conversation is None:
            new.save(force_insert=True)
        else:
            Conversation.objects.filter(pk=conversation.pk).update(updated=now)
        asked.save(force_insert=True)
        answer.save(force_insert=True)
        run.save(force_insert=True)
    return run, False


def store_passages(
    *, run: AnswerRun, query: str, labelled: Sequence[Any], rewritten: Rewritten | None = None,
    notes: Sequence[str] = (), found_by: Callable[[], dict[str, Any]] | None = None,
) -> None:  # fmt: skip
    """Store the query as searched, what a language model made of it, what the search says about itself, where passages
    contradict each other, and the passages as the model is given them.

    ``found_by`` returns the trace of the search.
    """
    found: dict[str, Any] = {"search": found_by()} if found_by else {}
    if rewritten:
        found["rewritten"] = rewritten_trace(rewritten)
    if notes:
        found["notes"] = list(notes)
    if differing := differences(labelled):
        found["differences"] = differing
    if labelled:
        found["tokens"] = {item.label: item.passage.tokens for item in labelled}
    with transaction.atomic():
        trace = {"retrieval": {**run.retrieval, **found}} if found else {}
        running = AnswerRun.objects.filter(pk=run.pk, status=AnswerRun.Status.RUNNING)
        if not running.update(query=query, heartbeat=timezone.now(), **trace):
            return  # swept meanwhile: what was recorded of it stays
        # A document may be deleted between search and here; the passage is then kept without its row.
        rows = Document.objects.filter(pk__in={item.passage.document for item in labelled})
        there = {str(pk) for pk in rows.values_list("pk", flat=True)}
        kept = snapshots.keep(run, [item.passage for item in labelled])
        ContextPassage.objects.bulk_create(
            [_context(run, item.label, item.passage, there, kept[item.passage.key]) for item in labelled]
        )


def differences(labelled: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    """Return by label which other passages of the answer say nearly the same, with the words here and there."""
    labels = {item.passage.key: item.label for item in labelled}
    found = {
        item.label: [
            {"label": labels[other.key], "differences": [list(pair) for pair in other.differences]}
            for other in item.passage.variants
            if other.key in labels
        ]
        for item in labelled
    }
    return {label: others for label, others in found.items() if others}


def _context(
    run: AnswerRun, label: str, passage: Any, there: set[str], snapshot: PassageSnapshot
) -> ContextPassage:  # fmt: skip
    erased = snapshot.erased is not None
    return ContextPassage(
        run=run,
        label=label,
        key=passage.key,
        document_id=passage.document if passage.document in there else None,
        document_ref=passage.document,
        base_ref=passage.knowledge_base,
        version=passage.version,
        title="" if erased else passage.title,
        heading_path=[] if erased else list(passage.heading_path),
        page=passage.page_first,
        start=passage.start,
        end=passage.end,
        snapshot=snapshot,
        score=passage.score,
        scores=dict(passage.scores),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, as plain data."""

    status: str
    text: str = ""
    raw_output: str = ""
    no_answer: bool = False
    prompt_version: str = ""
    prompt: Sequence[Any] = ()
    sentences: Sequence[dict[str, Any]] = ()
    citations: Sequence[dict[str, Any]] = ()  # label, number, sentence, start, end, quote, page, boxes, score
    anomalies: dict[str, int] | None = None
    usage: dict[str, Any] | None = None
    model: str = ""  # of the three: empty where no model answered
    answered_by: str = ""
    in_place_of: str = ""
    timings: dict[str, float] | None = None
    error_code: str = ""
    error_message: str = ""


def store_outcome(*, run: AnswerRun, outcome: Outcome, events: Sequence[dict[str, Any]]) -> None:
    """Store the answer with its citations; a run that already ended is left as it is."""
    rows = [dict(row) for row in outcome.citations]
    locate(rows)  # reads files: before the transaction, which must stay short
    with transaction.atomic():
        _store_outcome(run, outcome, rows, events)


def _store_outcome(
    run: AnswerRun, outcome: Outcome, citations: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]]
) -> None:
    ended = AnswerRun.objects.filter(pk=run.pk, status=AnswerRun.Status.RUNNING).update(
        status=outcome.status,
        raw_output=outcome.raw_output,
        no_answer=outcome.no_answer,
        prompt_version=outcome.prompt_version,
        prompt=list(outcome.prompt),
        sentences=list(outcome.sentences),
        anomalies=outcome.anomalies or {},
        usage=outcome.usage or {},
        timings=outcome.timings or {},
        events=list(events),
        error_code=outcome.error_code,
        error_message=outcome.error_message,
        **({"model": outcome.model} if outcome.model else {}),
        answered_by=outcome.answered_by,
        in_place_of=outcome.in_place_of,
        finished=timezone.now(),
        heartbeat=timezone.now(),
    )
    if not ended:
        return
    Message.objects.filter(pk=run.answer_id).update(text=outcome.text)
    passages = {p.label: p for p in ContextPassage.objects.filter(run=run)}
    rows = [
        Citation(run=run, passage=passages[c["label"]], **{k: v for k, v in c.items() if k != "label"})
        for c in citations
        if c["label"] in passages
    ]
    Citation.objects.bulk_create(rows)
    ContextPassage.objects.filter(run=run, pk__in={row.passage_id for row in rows}).update(used=True)
    audit.append(run.pk)
    erasing.catch_up(run)


def rename_conversation(*, conversation: Conversation, title: str) -> Conversation:
    conversation.title = _title(title) or conversation.title
    conversation.save(update_fields=["title", "updated"])
    return conversation


@transaction.atomic
def delete_conversation(*, conversation: Conversation) -> None:
    """Delete a conversation with its answers, and the words that no other answer was given."""
    rows = ContextPassage.objects.filter(run__conversation=conversation)
    kept = set(rows.values_list("snapshot_id", flat=True))
    conversation.delete()
    snapshots.drop_unused(kept)
