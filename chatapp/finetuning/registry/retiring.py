"""What taking a version out of use would mean: who answers with it, why it is refused, and what answers after."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.finetuning.registry.errors import RegistryRefused
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.standing import former_versions, is_stopped, target_without
from chatapp.language_models.catalogue import assistants_using, names_of, refuse_in_use
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["Foreseen", "check_retirable", "foreseen"]

ANSWERS = "This version answers. Go back to the one before, or promote another, first."
NOTHING_AFTER = "Nothing answers under its name after that: no version can, and its entry names no fallback."


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a person is told before they retire a version: sentences, and names of assistants."""

    assistants: str  # empty: none
    refused: str  # why it cannot be; empty: it can
    after: str


def check_retirable(actor: Actor, version: ModelVersion) -> None:
    """:raises RegistryRefused: it is active and another could answer. :raises ModelInUse: assistants name its own
    entry, or the model's, which has no fallback, while this version is the last."""
    model = version.fine_tuned_model
    is_active = version.state == ModelVersion.State.ACTIVE
    if is_active and any(each.pk != version.pk and not is_stopped(each) for each in former_versions(model)):
        raise RegistryRefused(ANSWERS)
    if version.language_model is not None:
        refuse_in_use(actor, version.language_model)
    alias = model.language_model
    if is_active and not (alias.fallback and alias.fallback.enabled):
        # Nothing would answer in its place.
        refuse_in_use(actor, alias)


def foreseen(actor: Actor, version: ModelVersion) -> Foreseen:
    """Look ahead; the same rules decide when it is done."""
    try:
        check_retirable(actor, version)
        refused = ""
    except KnowledgeError as error:
        refused = error.message
    return Foreseen(assistants=_assistants(actor, version), refused=refused, after="" if refused else _after(version))


def _assistants(actor: Actor, version: ModelVersion) -> str:
    """Return the names of those that answer with it: by its own entry, or by the model's where it answers there."""
    alias, own = version.fine_tuned_model.language_model, version.language_model
    users = assistants_using(own) if own is not None else []
    answers_there = own is not None and own.pk in (alias.target_id, alias.canary_id)
    if answers_there or version.state == ModelVersion.State.ACTIVE:
        users = [*users, *assistants_using(alias)]
    return names_of(actor, users)


def _after(version: ModelVersion) -> str:
    model: FineTunedModel = version.fine_tuned_model
    target, fallback = target_without(version), model.language_model.fallback
    if target is not None:
        number = model.versions.filter(language_model=target).values_list("number", flat=True).first()
        return f"Version {number} answers after that." if number else f"Its base, {target.name}, answers after that."
    if fallback is not None and fallback.enabled:
        return f"Its fallback, {fallback.name}, answers after that."
    return NOTHING_AFTER
