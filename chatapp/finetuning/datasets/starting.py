"""Begin and cancel builds."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from chatapp.finetuning.datasets.access import require_editor
from chatapp.finetuning.datasets.making import bases_of
from chatapp.finetuning.datasets.models import DatasetBuild, TrainingDataset
from chatapp.finetuning.datasets.questions import placed
from chatapp.finetuning.datasets.synthesis import MOST_PER_PASSAGE, Estimate, estimate
from chatapp.language_models.models import LanguageModel
from knowledge.documents import doorbells
from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import Chunk
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["BuildRefused", "cancel_build", "models_for", "planned", "start_questions", "start_synthesis"]

MOST_PASSAGES = 2_000
LEAST_CHARACTERS = 60
"""Of a passage that questions are made from."""


class BuildRefused(KnowledgeError):
    code = "build_refused"
    status = 409
    default_message = "A build of this dataset is under way. Wait for its end, or cancel it."


def models_for(*, actor: Actor) -> list[LanguageModel]:
    """Return the models of the catalogue that can write questions: the quoting one cannot."""
    rows = LanguageModel.objects.of_tenant(actor.tenant_id).filter(enabled=True)
    return list(rows.exclude(source=LanguageModel.Source.BUILT_IN).order_by("name", "pk"))


def planned(
    *, actor: Actor, dataset: TrainingDataset, passages: int, per_passage: int, model: str
) -> tuple[list[Chunk], LanguageModel | None, Estimate]:
    """Return the passages of a synthesis, evenly over the documents, who is asked about them, and what it would take.

    :raises BuildRefused: a number or the model is none, or there is no passage.
    """
    if not 1 <= passages <= MOST_PASSAGES or not 1 <= per_passage <= MOST_PER_PASSAGE:
        raise BuildRefused(f"1 to {MOST_PASSAGES:,} passages, with 1 to {MOST_PER_PASSAGE} questions each.")
    chosen = next((each for each in models_for(actor=actor) if each.slug == model), None)
    if model and chosen is None:
        raise BuildRefused("This language model is not in the catalogue, or is switched off.")
    rows = _chunks(dataset, actor)
    if not rows:
        raise BuildRefused("There are no passages yet in the knowledge bases of this dataset. Upload documents first.")
    return _even(rows, passages), chosen, estimate(_even(rows, passages), per_passage=per_passage, model=chosen)


def _chunks(dataset: TrainingDataset, actor: Actor) -> list[Chunk]:
    found = list[Chunk]()
    for base in bases_of(dataset, actor=actor):
        rows = Chunk.objects.filter(
            generation=base.live_generation_id, version__document__knowledge_base=base,
            version__document__current_version=F("version"),
        )  # fmt: skip
        rows = rows.select_related("version__document").order_by("version__document__created", "version", "ordinal")
        found += [chunk for chunk in rows[:50_000] if chunk.end - chunk.start >= LEAST_CHARACTERS]
    return found


def _even(rows: list[Chunk], most: int) -> list[Chunk]:
    if len(rows) <= most:
        return rows
    return [rows[at * len(rows) // most] for at in range(most)]


def start_synthesis(
    *, actor: Actor, dataset: TrainingDataset, passages: int, per_passage: int, model: str = "", assistant: str = ""
) -> DatasetBuild:  # fmt: skip
    """Queue a build that makes rows from passages.

    :raises NotAllowed: the actor may only read. :raises BuildRefused: one is under way, or nothing can be made.
    """
    require_editor(actor)
    chunks, chosen, told = planned(
        actor=actor, dataset=dataset, passages=passages, per_passage=per_passage, model=model
    )  # fmt: skip
    options = {
        "per_passage": per_passage, "model": chosen.slug if chosen else "", "assistant": assistant,
        "estimated_dollars": None if told.dollars is None else str(told.dollars),
    }  # fmt: skip
    return _queued(actor, dataset, DatasetBuild.Kind.SYNTHESIS, [str(chunk.pk) for chunk in chunks], options, [])


def start_questions(
    *, actor: Actor, dataset: TrainingDataset, data: bytes, name: str, assistant: str = ""
) -> DatasetBuild:  # fmt: skip
    """Queue a build that makes rows from a file of questions.

    :raises NotAllowed: the actor may only read. :raises QuestionsRefused: none of them can be used.
    :raises BuildRefused: a build is under way.
    """
    require_editor(actor)
    found = placed(data, name=name, bases=bases_of(dataset, actor=actor))
    return _queued(actor, dataset, DatasetBuild.Kind.QUESTIONS, found.work, {"assistant": assistant}, found.notes)


def _queued(
    actor: Actor, dataset: TrainingDataset, kind: str, work: list[Any], options: dict[str, Any], notes: list[str]
) -> DatasetBuild:  # fmt: skip
    if dataset.kind != TrainingDataset.Kind.RAFT:
        raise BuildRefused("Rows over passages belong into a dataset of answers over passages.")
    now = timezone.now()
    try:
        with transaction.atomic():
            build = DatasetBuild.objects.create(
                kind=kind, tenant_id=dataset.tenant_id, dataset=dataset, requested_by_id=actor.user_id or None,
                options=options, work=work, notes=notes, not_before=now, published=now,
            )  # fmt: skip
            transaction.on_commit(lambda: doorbells.ring(build))
    except IntegrityError as err:
        raise BuildRefused from err
    return build


def cancel_build(*, actor: Actor, build: DatasetBuild) -> None:
    """Stop a build; the rows it proposed stay. :raises NotAllowed: the actor may only read."""
    require_editor(actor)
    DatasetBuild.objects.filter(pk=build.pk).unfinished().update(
        state=LeasedJob.State.CANCELLED, finished=timezone.now(), lease_until=None, work=[]
    )
