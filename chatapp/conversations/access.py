"""Permission-checked fetches: a conversation and its runs belong to one person in one tenant."""

from __future__ import annotations

from django.db.models import QuerySet

from chatapp.answering import mode_of
from chatapp.conversations.models import AnswerRun, Assistant, Conversation
from knowledge.documents.access import as_slug, as_uuid
from knowledge.errors import NotFound
from knowledge.tenants.access import Actor, require_editor


class ConversationNotFound(NotFound):
    default_message = "No such conversation."


class RunNotFound(NotFound):
    default_message = "No such answer."


class AssistantNotFound(NotFound):
    default_message = "No such assistant."


def visible_conversations(*, actor: Actor) -> QuerySet[Conversation]:
    return Conversation.objects.filter(tenant_id=actor.tenant_id, user_id=actor.user_id)


def access_conversation(*, actor: Actor, pk: object) -> Conversation:
    """:raises ConversationNotFound: it does not exist or is somebody else's."""
    parsed = as_uuid(pk)
    found = visible_conversations(actor=actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise ConversationNotFound
    return found


def visible_runs(*, actor: Actor) -> QuerySet[AnswerRun]:
    """Return the answers of the actor's own conversations; of all in the tenant for those who administer it."""
    rows = AnswerRun.objects.filter(tenant_id=actor.tenant_id, conversation__tenant_id=actor.tenant_id)
    return rows if actor.can_administer else rows.filter(conversation__user_id=actor.user_id)


def access_run(*, actor: Actor, pk: object) -> AnswerRun:
    """:raises RunNotFound: it does not exist or belongs to somebody else's conversation."""
    parsed = as_uuid(pk)
    rows = AnswerRun.objects.filter(
        tenant_id=actor.tenant_id, conversation__tenant_id=actor.tenant_id, conversation__user_id=actor.user_id
    )
    found = rows.filter(pk=parsed).first() if parsed else None
    if found is None:
        raise RunNotFound
    return found


def access_run_to_audit(*, actor: Actor, pk: object) -> AnswerRun:
    """Return any answer of the tenant, whoever asked, for those who administer it.

    :raises RunNotFound: it does not exist, is another tenant's, or the actor is no administrator.
    """
    parsed = as_uuid(pk) if actor.can_administer else None
    found = visible_runs(actor=actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise RunNotFound
    return found


def visible_assistants(*, actor: Actor) -> QuerySet[Assistant]:
    return Assistant.objects.filter(tenant_id=actor.tenant_id).select_related("language_model").order_by("name", "pk")


def access_assistant(*, actor: Actor, slug: str) -> Assistant:
    """:raises AssistantNotFound: the tenant has none of that name."""
    rows = Assistant.objects.filter(tenant_id=actor.tenant_id).select_related("language_model")
    found = rows.filter(slug=slug).first() if as_slug(slug) else None
    if found is None:
        raise AssistantNotFound
    return found


def searches(*, actor: Actor, slug: str) -> bool:
    """Tell whether questions to the assistant are searched for; also where the tenant has none of that name."""
    if not as_slug(slug):
        return True
    rows = Assistant.objects.filter(tenant_id=actor.tenant_id, slug=slug)
    return all(mode_of(mode).searches for mode in rows.values_list("answer_mode", flat=True))


def access_assistant_to_edit(*, actor: Actor, slug: str) -> Assistant:
    """:raises AssistantNotFound: the tenant has none of that name. :raises NotAllowed: the actor may not edit."""
    assistant = access_assistant(actor=actor, slug=slug)
    require_editor(actor)
    return assistant
