"""Entries of the catalogue whose providers can be asked to fine-tune."""

from __future__ import annotations

from chatapp.finetuning.training.hosted_start import can_be_asked
from chatapp.language_models.models import LanguageModel
from knowledge.errors import NotFound
from knowledge.tenants.access import Actor

__all__ = ["EntryNotFound", "access_tunable", "tunable_models"]

OWN = (LanguageModel.Source.BUILT_IN, LanguageModel.Source.SERVED, LanguageModel.Source.FINE_TUNED)


class EntryNotFound(NotFound):
    default_message = "No such language model."


def tunable_models(*, actor: Actor) -> list[LanguageModel]:
    """Return what a provider could train for this tenant; none for those who only read."""
    if not actor.can_edit:
        return []
    rows = LanguageModel.objects.of_tenant(actor.tenant_id).filter(enabled=True).exclude(source__in=OWN)
    return [row for row in rows.order_by("name", "pk") if can_be_asked(row)]


def access_tunable(*, actor: Actor, pk: object) -> LanguageModel:
    """:raises EntryNotFound: it does not exist, is another tenant's, or its provider cannot be asked."""
    found = next((row for row in tunable_models(actor=actor) if str(row.pk) == str(pk)), None)
    if found is None:
        raise EntryNotFound
    return found
