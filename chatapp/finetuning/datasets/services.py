"""Writes: datasets, the limits of their rows, and questions that are kept out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.text import slugify

from chatapp.finetuning.datasets import questions
from chatapp.finetuning.datasets.access import require_editor
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.freshness import limits_of
from chatapp.finetuning.datasets.making import bases_of
from chatapp.finetuning.datasets.models import KeptOutQuestion, TrainingDataset
from chatapp.finetuning.datasets.queueing import check_soon, queue
from chatapp.finetuning.datasets.storing import hold_draft
from chatapp.finetuning.datasets.versions import open_draft
from knowledge.documents.access import access_knowledge_bases
from knowledge.documents.services import clean_label
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["BadDataset", "DatasetInUse", "create_dataset", "delete_dataset", "keep_out", "set_limits"]


class BadDataset(KnowledgeError):
    code = "bad_dataset"
    status = 422
    default_message = "A dataset needs a name and a kind."


class DatasetInUse(KnowledgeError):
    code = "dataset_in_use"
    status = 409
    default_message = "Models were trained on this dataset. It stays, so that everybody can see on what."


def create_dataset(
    *, actor: Actor, name: str, kind: str, purpose: str = "", knowledge_bases: Sequence[object] = ()
) -> TrainingDataset:  # fmt: skip
    """Make a dataset with an empty draft.

    :raises NotAllowed: the actor may only read. :raises BadDataset: no name, an unknown kind, or the name is taken.
    :raises KnowledgeBaseNotFound: one of the bases is not the actor's.
    """
    require_editor(actor)
    cleaned = clean_label(name, limit=200)
    if not cleaned or kind not in TrainingDataset.Kind.values:
        raise BadDataset
    bases = access_knowledge_bases(actor=actor, pks=knowledge_bases)
    slug = slugify(cleaned)[:80] or "dataset"
    try:
        with transaction.atomic():
            dataset = TrainingDataset.objects.create(
                tenant_id=actor.tenant_id, slug=slug, name=cleaned, kind=kind, purpose=purpose.strip()[:4_000],
                created_by_id=actor.user_id or None,
            )  # fmt: skip
            dataset.knowledge_bases.set(bases)
            open_draft(dataset, actor=actor)
    except IntegrityError as err:
        raise BadDataset(f"There is a dataset called “{cleaned}” already. Choose another name.") from err
    return dataset


def delete_dataset(*, actor: Actor, dataset: TrainingDataset) -> None:
    """:raises NotAllowed: the actor may only read. :raises DatasetInUse: a training run names one of its versions."""
    require_editor(actor)
    try:
        with transaction.atomic():
            dataset.delete()
    except ProtectedError as err:
        raise DatasetInUse from err


@transaction.atomic
def set_limits(*, actor: Actor, dataset: TrainingDataset, chosen: Mapping[str, Any]) -> DatasetBuild:
    """Set the limits of the draft's rows from now on (``Limits.of``; with the ``path`` of a base model whose tokenizer
    counts), and queue the check by them.

    :raises NotAllowed: the actor may only read. :raises BuildRefused: a build is under way.
    """
    version = open_draft(dataset, actor=actor)
    hold_draft(version)
    version.refresh_from_db(fields=["checks"])
    if limits_of(version) != chosen:
        # Rows that are edited from now on are counted by the new limits, whatever becomes of the check.
        version.checks = {**version.checks, "limits": dict(chosen), "counted": None}
        version.save(update_fields=["checks"])
    return queue(actor=actor, dataset=dataset, kind=DatasetBuild.Kind.CHECK)


def keep_out(*, actor: Actor, dataset: TrainingDataset, data: bytes, name: str) -> tuple[int, list[str]]:
    """Keep the questions of a file out of all training data of the organisation, and have the rows of this dataset
    checked for them; return how many, and what was not placed. Other datasets say that they were not checked since.

    :raises NotAllowed: the actor may only read. :raises QuestionsRefused: none of them can be used.
    """
    require_editor(actor)
    found = questions.placed(data, name=name, bases=bases_of(dataset, actor=actor))
    rows = [
        KeptOutQuestion(tenant_id=actor.tenant_id, file=name[:300], created_by_id=actor.user_id or None, **each)
        for each in questions.kept_out(found.work)
    ]
    KeptOutQuestion.objects.bulk_create(rows, ignore_conflicts=True)
    check_soon(actor=actor, dataset=dataset)
    return len(rows), found.notes
