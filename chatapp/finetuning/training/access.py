"""Permission-checked fetches of runs. Editors see them, administrators change them; missing and foreign look alike."""

from __future__ import annotations

from django.db.models import QuerySet

from chatapp.finetuning.datasets.models import DatasetVersion
from chatapp.finetuning.training.models import TrainingRun
from knowledge.documents.access import as_uuid
from knowledge.errors import NotFound
from knowledge.tenants import access as tenants
from knowledge.tenants.access import Actor

__all__ = [
    "RunNotFound", "VersionNotFound", "access_frozen_version", "access_run", "frozen_versions", "require_administrator",
    "require_editor", "visible_runs",
]  # fmt: skip


class RunNotFound(NotFound):
    default_message = "No such training run."


class VersionNotFound(NotFound):
    default_message = "No such frozen version of a dataset."


def require_editor(actor: Actor) -> None:
    """:raises NotAllowed: the actor may only read."""
    tenants.require_editor(actor, "Training is for those who may edit. Ask an administrator of your organisation.")


def require_administrator(actor: Actor) -> None:
    """:raises NotAllowed: the actor may not spend the machine's time, or money."""
    tenants.require_administrator(actor, "Only administrators start, stop and go on with training.")


def visible_runs(*, actor: Actor) -> QuerySet[TrainingRun]:
    rows: QuerySet[TrainingRun] = TrainingRun.objects.filter(tenant_id=actor.tenant_id)
    rows = rows.select_related("base", "dataset_version__dataset")
    return rows if actor.can_edit else rows.none()


def access_run(*, actor: Actor, pk: object) -> TrainingRun:
    """:raises RunNotFound: it does not exist, belongs to another tenant, or the actor may only read."""
    parsed = as_uuid(pk)
    found = visible_runs(actor=actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise RunNotFound
    return found


def frozen_versions(*, actor: Actor) -> QuerySet[DatasetVersion]:
    """Return what can be trained on."""
    rows = DatasetVersion.objects.filter(dataset__tenant_id=actor.tenant_id, state=DatasetVersion.State.FROZEN)
    return rows.select_related("dataset") if actor.can_edit else rows.none()


def access_frozen_version(*, actor: Actor, pk: object) -> DatasetVersion:
    """:raises VersionNotFound: it does not exist, may still change, or is another tenant's."""
    parsed = as_uuid(pk)
    found = frozen_versions(actor=actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise VersionNotFound
    return found
