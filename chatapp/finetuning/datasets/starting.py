"""Begin builds, each after what can be told at once."""

from __future__ import annotations

from django.db.models import F

from chatapp.finetuning.datasets.access import require_editor
from chatapp.finetuning.datasets.answers import answer_ids
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.export import approved
from chatapp.finetuning.datasets.making import bases_of
from chatapp.finetuning.datasets.models import TrainingDataset
from chatapp.finetuning.datasets.questions import placed
from chatapp.finetuning.datasets.queueing import BuildRefused, queue
from chatapp.finetuning.datasets.synthesis import MOST_PER_PASSAGE, Estimate, estimate
from chatapp.finetuning.datasets.uploads import count_rows
from chatapp.finetuning.datasets.versions import NothingToFreeze, draft_of
from chatapp.language_models.models import LanguageModel
from knowledge.documents.models import Chunk
from knowledge.documents.services import clean_label
from knowledge.tenants.access import Actor

__all__ = [
    "models_for", "planned", "start_answers", "start_check", "start_file", "start_freeze", "start_questions",
    "start_synthesis",
]  # fmt: skip

MOST_PASSAGES = 2_000
LEAST_CHARACTERS = 60
"""Of a passage that questions are made from."""


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
    taken = _even(rows, passages)
    return taken, chosen, estimate(taken, per_passage=per_passage, model=chosen)


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
    _over_passages(dataset)
    chunks, chosen, told = planned(
        actor=actor, dataset=dataset, passages=passages, per_passage=per_passage, model=model
    )  # fmt: skip
    options = {
        "per_passage": per_passage, "model": chosen.slug if chosen else "", "assistant": assistant,
        "estimated_dollars": None if told.dollars is None else str(told.dollars),
    }  # fmt: skip
    work = [str(chunk.pk) for chunk in chunks]
    return queue(actor=actor, dataset=dataset, kind=DatasetBuild.Kind.SYNTHESIS, work=work, options=options)


def start_questions(
    *, actor: Actor, dataset: TrainingDataset, data: bytes, name: str, assistant: str = ""
) -> DatasetBuild:  # fmt: skip
    """Queue a build that makes rows from a file of questions.

    :raises NotAllowed: the actor may only read. :raises QuestionsRefused: none of them can be used.
    :raises BuildRefused: a build is under way, or the dataset is none of answers over passages.
    """
    require_editor(actor)
    _over_passages(dataset)
    found = placed(data, name=name, bases=bases_of(dataset, actor=actor))
    return queue(
        actor=actor, dataset=dataset, kind=DatasetBuild.Kind.QUESTIONS, work=found.work, notes=found.notes,
        options={"assistant": assistant},
    )  # fmt: skip


def _over_passages(dataset: TrainingDataset) -> None:
    if dataset.kind != TrainingDataset.Kind.RAFT:
        raise BuildRefused("Rows over passages belong into a dataset of answers over passages.")


def start_file(*, actor: Actor, dataset: TrainingDataset, data: bytes, name: str) -> DatasetBuild:
    """Queue a build that proposes the rows of a file, and names line by line what is no row of it.

    :raises NotAllowed: the actor may only read. :raises UploadRefused: the file holds no rows.
    :raises BuildRefused: a build is under way.
    """
    require_editor(actor)
    cleaned = clean_label(name, limit=100) or "The file"
    total = count_rows(data, name=cleaned)
    return queue(
        actor=actor, dataset=dataset, kind=DatasetBuild.Kind.FILE, total=total, options={"name": cleaned},
        file=(cleaned, data),
    )  # fmt: skip


def start_answers(*, actor: Actor, dataset: TrainingDataset, to_correct: bool = False) -> DatasetBuild:
    """Queue a build that proposes rows of answers that were given (``answers``).

    :raises NotAllowed: the actor may only read. :raises BuildRefused: a build is under way, or there is no answer yet.
    """
    require_editor(actor)
    ids = answer_ids(actor=actor)
    if not ids:
        raise BuildRefused("There is no answer over documents yet that you may read. Ask some questions first.")
    options = {"to_correct": to_correct}
    return queue(actor=actor, dataset=dataset, kind=DatasetBuild.Kind.ANSWERS, work=ids, options=options)


def start_check(*, actor: Actor, dataset: TrainingDataset) -> DatasetBuild:
    """Queue a build that only checks all rows of the draft.

    :raises NotAllowed: the actor may only read. :raises BuildRefused: a build is under way, or there is no draft.
    """
    require_editor(actor)
    if draft_of(dataset) is None:
        raise BuildRefused("There is no draft to check. Open one first.")
    return queue(actor=actor, dataset=dataset, kind=DatasetBuild.Kind.CHECK)


def start_freeze(*, actor: Actor, dataset: TrainingDataset) -> DatasetBuild:
    """Queue a build that checks the draft once more and closes it for ever.

    :raises NotAllowed: the actor may only read. :raises NothingToFreeze: there is no draft, or no row is approved.
    :raises BuildRefused: a build is under way.
    """
    require_editor(actor)
    draft = draft_of(dataset)
    if draft is None:
        raise NothingToFreeze("There is no draft: nothing changed since the last version was frozen.")
    if not approved(draft).exists():
        raise NothingToFreeze
    return queue(actor=actor, dataset=dataset, kind=DatasetBuild.Kind.FREEZE)
