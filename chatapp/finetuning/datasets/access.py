"""Permission-checked fetches of training data. Editors see it; missing and forbidden look the same."""

from __future__ import annotations

from django.db.models import QuerySet

from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.models import DatasetVersion, TrainingDataset, TrainingRow
from knowledge.documents.access import as_uuid
from knowledge.documents.models import KnowledgeBase
from knowledge.errors import NotFound
from knowledge.tenants import access as tenants
from knowledge.tenants.access import Actor

__all__ = [
    "BuildNotFound", "DatasetNotFound", "RowNotFound", "VersionNotFound", "access_build", "access_dataset",
    "access_row", "access_version", "require_editor", "visible_datasets",
]  # fmt: skip


class DatasetNotFound(NotFound):
    default_message = "No such dataset."


class VersionNotFound(NotFound):
    default_message = "No such version of a dataset."


class RowNotFound(NotFound):
    default_message = "No such training row."


class BuildNotFound(NotFound):
    default_message = "No such build."


def require_editor(actor: Actor) -> None:
    """:raises NotAllowed: the actor may only read."""
    tenants.require_editor(actor, "Training data is for those who may edit. Ask an administrator of your organisation.")


def visible_datasets(*, actor: Actor) -> QuerySet[TrainingDataset]:
    """Return the datasets the actor may see: an editor those of the tenant without a knowledge base they may not."""
    rows = TrainingDataset.objects.filter(tenant_id=actor.tenant_id)
    foreign = KnowledgeBase.objects.exclude(tenant_id=actor.tenant_id)
    return rows.exclude(knowledge_bases__in=foreign) if actor.can_edit else rows.none()


def access_dataset(*, actor: Actor, pk: object) -> TrainingDataset:
    """:raises DatasetNotFound: it does not exist, belongs to another tenant, or the actor may only read."""
    parsed = as_uuid(pk)
    found = visible_datasets(actor=actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise DatasetNotFound
    return found


def access_version(*, actor: Actor, dataset: object, number: int | None = None) -> DatasetVersion:
    """Return a version of a dataset: the given one, or the newest.

    :raises DatasetNotFound: the actor has no such dataset. :raises VersionNotFound: it has no such version.
    """
    owner = access_dataset(actor=actor, pk=dataset)
    rows = owner.versions.order_by("-number")
    if number is not None:
        rows = rows.filter(number=number) if 0 < number < 2**31 else rows.none()
    found = rows.first()
    if found is None:
        raise VersionNotFound
    found.dataset = owner
    return found


def access_row(*, actor: Actor, pk: object) -> TrainingRow:
    """:raises RowNotFound: it does not exist, or its dataset is not for this actor."""
    parsed = as_uuid(pk)
    rows = TrainingRow.objects.filter(version__dataset__in=visible_datasets(actor=actor))
    found = rows.select_related("version__dataset").filter(pk=parsed).first() if parsed else None
    if found is None:
        raise RowNotFound
    return found


def access_build(*, actor: Actor, pk: object) -> DatasetBuild:
    """:raises BuildNotFound: it does not exist, or its dataset is not for this actor."""
    parsed = as_uuid(pk)
    rows = DatasetBuild.objects.filter(dataset__in=visible_datasets(actor=actor)).select_related("dataset")
    rows = rows.defer("work")  # thousands of questions, which only their worker reads
    found: DatasetBuild | None = rows.filter(pk=parsed).first() if parsed else None
    if found is None:
        raise BuildNotFound
    return found
