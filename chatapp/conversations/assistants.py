"""Adding, changing and deleting assistants. Each takes and checks the same fields, from pages and from the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, QuerySet, TextChoices, Value, When
from django.utils.text import slugify

from chatapp.answering import checked_schema
from chatapp.conversations.access import AssistantNotFound
from chatapp.conversations.models import Assistant
from chatapp.conversations.policies import AssistantRefused, answer_rules
from chatapp.language_models.models import LanguageModel
from knowledge.documents.access import access_knowledge_bases, as_slug
from knowledge.tenants.access import Actor, require_administrator

__all__ = [
    "DEFAULT",
    "access_assistant_to_administer",
    "choosable_models",
    "create_assistant",
    "delete_assistant",
    "update_assistant",
]

DEFAULT = "default"
"""The assistant that is asked where none is named; the product makes it, and it stays."""

LONGEST_PROMPT = 16_000  # characters
MOST_BASES = 100

Checked = Callable[[Any], Any]


def access_assistant_to_administer(*, actor: Actor, name: str) -> Assistant:
    """Return the assistant of that short name or id.

    :raises AssistantNotFound: the tenant has none. :raises NotAllowed: the actor does not administer.
    """
    rows = Assistant.objects.filter(tenant_id=actor.tenant_id).select_related("language_model", "tenant")
    found = rows.filter(slug=name).first() if as_slug(name) else None
    if found is None and name.isascii() and name.isdecimal() and len(name) < 18:
        found = rows.filter(pk=int(name)).first()
    if found is None:
        raise AssistantNotFound
    require_administrator(actor)
    return found


def choosable_models(*, actor: Actor) -> QuerySet[LanguageModel]:
    """Return the models that may answer for the actor's tenant: its own before those that all share."""
    own = Case(When(tenant=None, then=Value(1)), default=Value(0))
    return LanguageModel.objects.of_tenant(actor.tenant_id).filter(enabled=True).order_by(own, "name", "pk")


def create_assistant(*, actor: Actor, fields: Mapping[str, Any]) -> Assistant:
    """Add an assistant; what ``fields`` leave out is as the product's own.

    :raises NotAllowed: the actor does not administer. :raises AssistantRefused: a field cannot be so, in words.
    :raises SchemaRefused: the JSON Schema is not accepted. :raises NotFound: a knowledge base is not there.
    """
    require_administrator(actor)
    name = _name(fields.get("name", ""))
    slug = fields.get("slug") or slugify(name)[:80] or "assistant"
    return _saved(Assistant(tenant_id=actor.tenant_id), {**fields, "slug": slug}, actor=actor)


def update_assistant(*, actor: Actor, assistant: Assistant, changes: Mapping[str, Any]) -> Assistant:
    """Change an assistant, from its next question on; errors are those of ``create_assistant``."""
    require_administrator(actor)
    if assistant.slug == DEFAULT and changes.get("slug", DEFAULT) != DEFAULT:
        raise AssistantRefused("The default assistant keeps its short name: programs ask for it.")
    return _saved(assistant, changes, actor=actor)


def delete_assistant(*, actor: Actor, assistant: Assistant) -> None:
    """Delete an assistant; its answers stay.

    :raises NotAllowed: the actor does not administer. :raises AssistantRefused: it is the default one.
    """
    require_administrator(actor)
    if assistant.slug == DEFAULT:
        raise AssistantRefused("The default assistant can’t be deleted: it answers where no other is named.")
    assistant.delete()


def _saved(assistant: Assistant, fields: Mapping[str, Any], *, actor: Actor) -> Assistant:
    for name, checked in CHECKS.items():
        if name in fields:
            setattr(assistant, name, checked(fields[name]))
    if "model" in fields:
        assistant.language_model = _model(fields["model"], actor=actor)
    bases = _bases(fields["knowledge_bases"], actor=actor) if "knowledge_bases" in fields else None
    answer_rules(assistant, has_schema=bool(assistant.output_schema))
    taken = Assistant.objects.filter(tenant_id=actor.tenant_id, slug=assistant.slug).exclude(pk=assistant.pk)
    refused = AssistantRefused(f"There is an assistant with the short name “{assistant.slug}” already.")
    if taken.exists():
        raise refused
    try:
        with transaction.atomic():
            assistant.save()
            if bases is not None:
                assistant.knowledge_bases.set(bases)
    except IntegrityError as error:  # another one came first
        raise refused from error
    return assistant


def _model(named: object, *, actor: Actor) -> LanguageModel | None:
    """Return a model by its id or short name; of two with one name, the tenant's own."""
    if named in (None, ""):
        return None
    text = str(named)
    rows = choosable_models(actor=actor)
    found = rows.filter(slug=text).first() if as_slug(text) else None
    if found is None and text.isascii() and text.isdecimal() and len(text) < 18:
        found = rows.filter(pk=int(text)).first()
    if found is None:
        raise AssistantRefused("There is no such language model, or it is switched off. Choose another.")
    return found


def _bases(named: object, *, actor: Actor) -> Sequence[Any]:
    if not isinstance(named, list | tuple) or len(named) > MOST_BASES:
        raise AssistantRefused(f"An assistant has a list of knowledge bases, {MOST_BASES} at most.")
    return access_knowledge_bases(actor=actor, pks=[str(each) for each in named]) if named else ()


def _name(value: object) -> str:
    name = " ".join(str(value).replace("\0", "").split())
    if not name or len(name) > 200:
        raise AssistantRefused("An assistant needs a name of 200 characters at most.")
    return name


def _slug(value: object) -> str:
    slug = str(value).strip()
    if not as_slug(slug) or len(slug) > 80:
        raise AssistantRefused("The short name may have letters from a to z, digits, “-” and “_”, 80 at most.")
    return slug


def _prompt(value: object) -> str:
    prompt = str(value).replace("\0", "").replace("\r\n", "\n").strip()
    if len(prompt) > LONGEST_PROMPT:
        raise AssistantRefused(f"The instructions are longer than {LONGEST_PROMPT:,} characters.")
    return prompt


def _schema(value: Any) -> dict[str, Any]:
    """Return the schema as a person wrote it, once it is known to be accepted."""
    if not value:
        return {}
    checked_schema(value)
    return dict(value)


def _choice(choices: type[TextChoices], label: str) -> Checked:
    def checked(value: object) -> str:
        if value not in choices.values:
            raise AssistantRefused(f"The {label} must be one of {', '.join(choices.values)}.")
        return str(value)

    return checked


CHECKS: Mapping[str, Checked] = {
    "name": _name, "slug": _slug, "system_prompt": _prompt, "output_schema": _schema, "trained_elsewhere": bool,
    "answer_mode": _choice(Assistant.AnswerMode, "answer mode"),
    "citation_mode": _choice(Assistant.CitationMode, "citation mode"),
    "enforcement": _choice(Assistant.Enforcement, "enforcement"),
}  # fmt: skip
