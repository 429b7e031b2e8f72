"""A deleted document takes its words out of training rows: drafts lose the rows, frozen versions the text."""

from __future__ import annotations

from typing import Any

from chatapp.finetuning.datasets import reviewing, starting, writing
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.export import documents_of, frozen_versions_with, rows_of
from chatapp.finetuning.datasets.models import RowSource
from chatapp.finetuning.datasets.versions import draft_of, freeze, open_draft
from knowledge.documents.deletions.deletion import run_delete
from knowledge.documents.models import DeletionReport
from knowledge.documents.services import delete_document

QUOTE = "Visitors register at the front desk before 18:00"


def test_words_of_a_deleted_document_leave_training_rows(raft: Any, actor: Any, library: Any, run_builds: Any) -> None:
    visitors, leave = library.documents
    writing.add_curated(
        actor=actor, dataset=raft, question="Until when can visitors register?",
        answer="Visitors register before 18:00.", document=str(visitors.pk), quote=QUOTE,
    )  # fmt: skip
    run_builds()
    first = draft_of(raft)
    assert reviewing.review_unflagged(actor=actor, dataset=raft) == 1
    freeze(first, actor)
    frozen_hash, key = first.content_hash, first.rows.get().key
    draft = open_draft(raft, actor=actor)
    assert draft.rows.count() == 1
    build = starting.start_questions(
        actor=actor, dataset=raft, name="set.csv",
        data=b"question,document,quote\nWhen do they register?,visitors.md,Visitors register at the front desk\n",
    )  # fmt: skip

    delete_document(document=visitors)
    run_delete(job_id=visitors.jobs.get(kind="delete").pk)

    report = DeletionReport.objects.get(document_ref=visitors.pk)
    places = {entry["place"]: entry for entry in report.places}
    row = places["training_rows"]
    assert (row["rule"], row["before"], row["after"]) == ("gone", 2, 0)
    assert "Removed from the draft of “House answers” (1 row)." in row["note"]
    assert "Emptied in frozen versions of “House answers” (1 row)." in row["note"]
    assert places["training_builds"]["after"] == 0
    assert draft.rows.count() == 0
    first.refresh_from_db()
    kept = first.rows.get()
    assert (kept.key, kept.prompt, kept.completion, first.content_hash) == (key, [], "", frozen_hash)
    assert kept.erased is not None
    assert visitors.pk in documents_of(first), "the lineage stays"
    assert leave.pk in documents_of(first), "distractors are lineage too"
    assert list(frozen_versions_with(visitors.pk)) == [first]
    assert list(rows_of(first)) == []
    assert not RowSource.objects.filter(document_ref=visitors.pk).exclude(title="").exists()
    assert "register" not in str(DatasetBuild.objects.get(pk=build.pk).work)


def test_rows_that_read_the_document_as_a_distractor_go_as_well(raft: Any, actor: Any, library: Any) -> None:
    visitors, leave = library.documents
    writing.add_curated(
        actor=actor, dataset=raft, question="Until when can visitors register?",
        answer="Visitors register before 18:00.", document=str(visitors.pk), quote=QUOTE,
    )  # fmt: skip
    assert draft_of(raft).rows.count() == 1
    delete_document(document=leave)
    run_delete(job_id=leave.jobs.get(kind="delete").pk)
    assert draft_of(raft).rows.count() == 0


def test_title_of_a_source_may_be_blanked_in_a_frozen_version_only_by_a_deletion(
    raft: Any, actor: Any, run_builds: Any
) -> None:
    starting.start_file(
        actor=actor, dataset=raft, name="rows.jsonl", data=b'{"prompt": "Say hi.", "completion": "Hello."}'
    )
    run_builds()
    reviewing.review_unflagged(actor=actor, dataset=raft)
    version = freeze(draft_of(raft), actor)
    assert version.rows.erase() == 1
    assert list(rows_of(version)) == []
