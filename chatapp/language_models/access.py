"""Permission-checked fetches: an organisation sees its own entries and those shared with all."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from chatapp.language_models.errors import ModelNotFound
from chatapp.language_models.models import LanguageModel
from knowledge.errors import NotAllowed
from knowledge.tenants.access import Actor

ADMINISTRATORS_CHANGE = "Only administrators may change models."


def visible_models(actor: Actor) -> QuerySet[LanguageModel]:
    return LanguageModel.objects.of_tenant(actor.tenant_id)


def access_model(actor: Actor, pk: object) -> LanguageModel:
    """:raises ModelNotFound: it does not exist or is another organisation's."""
    text = str(pk)
    found = None
    if text.isascii() and text.isdecimal() and len(text) < 19:
        found = visible_models(actor).select_related("fallback", "target", "canary").filter(pk=int(text)).first()
    if found is None:
        raise ModelNotFound
    return found


def is_operator(actor: Actor) -> bool:
    """Whether the actor runs the installation itself: staff, or a command on the machine."""
    if actor.user_id == 0:
        return True
    return get_user_model().objects.filter(pk=actor.user_id, is_staff=True, is_active=True).exists()


def may_change(actor: Actor, model: LanguageModel) -> bool:
    if not actor.can_administer:
        return False
    return model.tenant_id == actor.tenant_id or (model.tenant_id is None and is_operator(actor))


def require_change(actor: Actor, model: LanguageModel) -> None:
    """:raises NotAllowed: the actor may not change it."""
    if not may_change(actor, model):
        raise NotAllowed(ADMINISTRATORS_CHANGE)


def sees_connection(actor: Actor, model: LanguageModel) -> bool:
    """Whether the actor may see where an entry is called, with which options and whether by a key.

    What the environment or a server of this installation says of itself is the operators'.
    """
    return may_change(actor, model) and (model.source == LanguageModel.Source.ADDED or is_operator(actor))
