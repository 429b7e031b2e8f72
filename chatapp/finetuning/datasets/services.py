"""Writes: datasets, their rows as people review them, files that are brought, and builds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.text import slugify

from chatapp.finetuning.datasets import answers, checks, questions, uploads
from chatapp.finetuning.datasets.access import RowNotFound, require_editor
from chatapp.finetuning.datasets.making import bases_of, setting_of
from chatapp.finetuning.datasets.models import KeptOutQuestion, TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.raft import LeftOut, raft_row
from chatapp.finetuning.datasets.shapes import Proposal, kind_of, row_key
from chatapp.finetuning.datasets.storing import hold_draft, propose, verified_flags
from chatapp.finetuning.datasets.versions import open_draft
from knowledge.documents.access import access_knowledge_bases, access_version
from knowledge.documents.services import clean_label
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = [
    "BadDataset", "RowRefused", "add_answers", "add_curated", "add_file", "create_dataset", "delete_dataset",
    "edit_row", "keep_out", "review_row", "review_unflagged", "set_limits",
]  # fmt: skip

LONGEST_COMPLETION = 32_000
"""Characters."""


class BadDataset(KnowledgeError):
    code = "bad_dataset"
    status = 422
    default_message = "A dataset needs a name and a kind."


class RowRefused(KnowledgeError):
    code = "row_refused"
    status = 409
    default_message = "This row cannot be approved as it is."


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


def set_limits(*, actor: Actor, dataset: TrainingDataset, chosen: Mapping[str, Any]) -> None:
    """Check the draft by the window of another model. :raises NotAllowed: the actor may only read."""
    checks.refresh(open_draft(dataset, actor=actor), chosen=chosen)


def add_answers(
    *, actor: Actor, dataset: TrainingDataset, to_correct: bool = False
) -> tuple[Counter[str], Counter[str]]:
    """Propose rows of answers; return what became of them, and how many answers gave none, by reason.

    :raises NotAllowed: the actor may only read.
    """
    version = open_draft(dataset, actor=actor)
    found = answers.from_answers(dataset, actor=actor, to_correct=to_correct)
    counts = propose(version, found.proposals)
    checks.refresh(version)
    return counts, found.left_out


def add_file(*, actor: Actor, dataset: TrainingDataset, data: bytes, name: str) -> tuple[Counter[str], uploads.Read]:
    """Propose the rows of a file; what is no row of it is named line by line.

    :raises NotAllowed: the actor may only read. :raises UploadRefused: the file holds no rows.
    """
    version = open_draft(dataset, actor=actor)
    read = uploads.read_rows(data, name=clean_label(name, limit=100) or "The file", kind=dataset.kind)
    counts = propose(version, read.proposals)
    checks.refresh(version)
    return counts, read


def add_curated(
    *, actor: Actor, dataset: TrainingDataset, question: str, answer: str, document: object = "", quote: str = ""
) -> Counter[str]:  # fmt: skip
    """Propose a row that somebody wrote: over the passages that the search brings where it names the words of a
    document that answer, else as an instruction.

    :raises NotAllowed: the actor may only read. :raises QuestionsRefused: something is missing, or the quote does not
    stand in the document. :raises DocumentNotFound: the actor has no such document.
    """
    version = open_draft(dataset, actor=actor)
    question, answer = question.strip(), answer.strip()
    if not question or (not answer and not quote):
        raise questions.QuestionsRefused("A row needs a question, and an answer or the words that answer it.")
    if len(question) > 8_000 or len(answer) > LONGEST_COMPLETION:
        raise questions.QuestionsRefused("A question may have 8,000 characters, and an answer 32,000.")
    if document:
        source = access_version(actor=actor, document_id=document)
        if source.document.knowledge_base not in bases_of(dataset, actor=actor):
            raise questions.QuestionsRefused("This document is in none of the knowledge bases of the dataset.")
        proposal = _over_passages(actor, dataset, question, answer, source, quote, seed=version.seed)
    elif dataset.kind == TrainingDataset.Kind.RAFT:
        raise questions.QuestionsRefused("Name the document whose words answer, and quote them.")
    else:
        prompt = [{"role": "user", "content": question}]
        proposal = Proposal(origin=TrainingRow.Origin.CURATED, prompt=prompt, completion=answer)
    counts = propose(version, [proposal])
    checks.refresh(version)
    return counts


def _over_passages(
    actor: Actor, dataset: TrainingDataset, question: str, answer: str, source: Any, quote: str, *, seed: int
) -> Proposal:  # fmt: skip
    start, end = questions.span_of(source, quote)
    # Somebody wrote this one to be answered: it is no row of a refusal.
    setting = setting_of(
        dataset, actor=actor, origin=TrainingRow.Origin.CURATED, seed=seed, options={"absent": 0.0}
    )  # fmt: skip
    item = {
        "question": question, "document": str(source.document_id), "start": start, "end": end, "answer": answer
    }  # fmt: skip
    try:
        return raft_row(questions.case_of(item, actor=actor), setting)
    except LeftOut as why:
        raise questions.QuestionsRefused(str(why)) from why


def keep_out(*, actor: Actor, dataset: TrainingDataset, data: bytes, name: str) -> tuple[int, list[str]]:
    """Keep the questions of a file out of all training data of the organisation; return how many, and what was not
    placed.

    :raises NotAllowed: the actor may only read. :raises QuestionsRefused: none of them can be used.
    """
    version = open_draft(dataset, actor=actor)
    found = questions.placed(data, name=name, bases=bases_of(dataset, actor=actor))
    rows = [
        KeptOutQuestion(tenant_id=actor.tenant_id, file=name[:300], created_by_id=actor.user_id or None, **each)
        for each in questions.kept_out(found.work)
    ]
    KeptOutQuestion.objects.bulk_create(rows, ignore_conflicts=True)
    checks.refresh(version)
    return len(rows), found.notes


def edit_row(*, actor: Actor, row: TrainingRow, completion: str) -> TrainingRow:
    """Change what a row of the draft teaches, and check it anew. That of an answer becomes feedback: it was corrected.

    :raises NotAllowed: the actor may only read. :raises VersionFrozen: the row is of a frozen version.
    :raises RowRefused: nothing is written, too much is, or another row has the same words.
    """
    require_editor(actor)
    completion = completion.replace("\r\n", "\n").replace("\0", "").strip()
    if not completion or len(completion) > LONGEST_COMPLETION:
        raise RowRefused("A completion has 1 to 32,000 characters.")
    row.key, row.completion = row_key(row.prompt, completion), completion
    row.kind = kind_of(row.prompt, completion)
    found = verified_flags(row.prompt, completion, tenant_id=row.version.dataset.tenant_id)
    row.tokens, own = checks.own_flags(row, row.version.checks.get("limits") or {})
    kept = {name: words for name, words in row.flags.items() if name == "leak"}
    row.flags = {**kept, **found, **own}
    row.state, row.reviewed_by, row.reviewed = TrainingRow.State.PROPOSED, None, None
    if row.origin == TrainingRow.Origin.ANSWER:
        row.origin = TrainingRow.Origin.FEEDBACK
    try:
        with transaction.atomic():
            hold_draft(row.version)
            row.save()
    except IntegrityError as err:
        raise RowRefused("Another row of this version has the same prompt and completion.") from err
    return row


def review_row(*, actor: Actor, row: TrainingRow, state: str) -> TrainingRow:
    """Approve or reject a row of the draft, or propose it again.

    :raises NotAllowed: the actor may only read. :raises VersionFrozen: it is of a frozen version.
    :raises RowRefused: something keeps it from approval.
    """
    require_editor(actor)
    if state not in TrainingRow.State.values:
        raise RowRefused("A row is approved, rejected or proposed.")
    with transaction.atomic():
        hold_draft(row.version)
        held = TrainingRow.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
        if held is None:
            raise RowNotFound
        if state == TrainingRow.State.APPROVED and (why := checks.blocks(held.flags)):
            raise RowRefused(f"This row cannot be approved. {' '.join(why)}")
        decided = state != TrainingRow.State.PROPOSED
        row.state = state
        row.reviewed_by_id = (actor.user_id or None) if decided else None
        row.reviewed = timezone.now() if decided else None
        row.flags = held.flags
        row.save(update_fields=["state", "reviewed_by", "reviewed"])
    return row


def review_unflagged(*, actor: Actor, dataset: TrainingDataset, kinds: Collection[str] = ()) -> int:
    """Approve every proposed row of the draft on which nothing was found; return how many.

    :raises NotAllowed: the actor may only read.
    """
    version = open_draft(dataset, actor=actor)
    checks.refresh(version)
    with transaction.atomic():
        hold_draft(version)
        rows = version.rows.filter(state=TrainingRow.State.PROPOSED)
        rows = rows.filter(kind__in=kinds) if kinds else rows
        # Compared here: databases differ in how they compare JSON.
        clean = [pk for pk, flags in rows.values_list("pk", "flags") if not flags]
        return version.rows.filter(pk__in=clean).update(
            state=TrainingRow.State.APPROVED, reviewed_by_id=actor.user_id or None, reviewed=timezone.now()
        )
