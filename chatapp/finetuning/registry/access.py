"""Who sees fine-tuned models and their versions: those who edit; those who administer change them."""

from __future__ import annotations

from django.db.models import QuerySet

from chatapp.finetuning.registry.errors import FineTunedModelNotFound, VersionNotFound
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from knowledge.documents.access import as_uuid
from knowledge.tenants import access as tenants
from knowledge.tenants.access import Actor

__all__ = ["access_fine_tuned_model", "access_version", "require_administrator", "require_editor", "visible_models"]


def visible_models(actor: Actor) -> QuerySet[FineTunedModel]:
    rows = FineTunedModel.objects.filter(tenant_id=actor.tenant_id)
    return rows.select_related("language_model") if actor.can_edit else rows.none()


def access_fine_tuned_model(actor: Actor, pk: object) -> FineTunedModel:
    """:raises FineTunedModelNotFound: it is not there for this actor."""
    parsed = as_uuid(pk)
    found = visible_models(actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise FineTunedModelNotFound
    return found


def access_version(actor: Actor, pk: object) -> ModelVersion:
    """:raises VersionNotFound: it is not there for this actor."""
    parsed = as_uuid(pk)
    rows = ModelVersion.objects.filter(fine_tuned_model__in=visible_models(actor))
    found = rows.select_related(*WITH).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise VersionNotFound
    return found


WITH = (
    "fine_tuned_model__language_model", "language_model", "base", "run__dataset_version__dataset",
)  # fmt: skip


def require_administrator(actor: Actor) -> None:
    """:raises NotAllowed: the actor may not change them."""
    tenants.require_administrator(actor, "Your role does not allow that. Ask an owner or an administrator.")


def require_editor(actor: Actor) -> None:
    """:raises NotAllowed: the actor may only read."""
    tenants.require_editor(actor, "Your role does not show fine-tuned models.")
