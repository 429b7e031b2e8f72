"""Checks over all rows, review, freezing, new drafts, differences, and what a trainer is given."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatapp.finetuning.datasets import checks, reviewing, services
from chatapp.finetuning.datasets.export import content_hash, documents_of, frozen_versions_with, rows_of, write_jsonl
from chatapp.finetuning.datasets.models import KeptOutQuestion, TrainingRow
from chatapp.finetuning.datasets.storing import VersionFrozen, propose
from chatapp.finetuning.datasets.versions import NothingToFreeze, difference, draft_of, freeze, open_draft
from knowledge.errors import NotAllowed
from knowledge.tenants.access import actor_for

PAIRS = (("What is one and one?", "Two."), ("Name the capital of France.", "Paris."), ("Say hello.", "Hello!"))


@pytest.fixture
def document(actor: Any) -> Any:
    from stored_answers import stored_source

    from knowledge.documents.services import create_knowledge_base

    return stored_source(create_knowledge_base(actor=actor, name="Rules"), "visitors")


@pytest.fixture
def no_questions_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drift needs vectors; too few questions need none."""
    monkeypatch.setattr("chatapp.finetuning.datasets.drifting.wiring.embedder", lambda: pytest.fail("asked"))


def approve(actor: Any, *rows: TrainingRow) -> None:
    for row in rows:
        reviewing.review_row(actor=actor, row=row, state="approved")


def test_frozen_version_has_the_hash_of_its_approved_rows_and_never_changes(
    dataset: Any, actor: Any, add_rows: Callable[..., Any], tmp_path: Path
) -> None:
    rows = add_rows(dataset, *PAIRS)
    approve(actor, *rows[:2])
    reviewing.review_row(actor=actor, row=rows[2], state="rejected")
    version = freeze(draft_of(dataset), actor)
    lines = sorted(
        json.dumps({"key": r.key, "prompt": r.prompt, "completion": r.completion, "split": r.split}, sort_keys=True,
                   separators=(",", ":"), ensure_ascii=False)
        for r in version.rows.filter(state="approved")
    )  # fmt: skip
    by_key = sorted(lines, key=lambda line: json.loads(line)["key"])
    assert version.content_hash == hashlib.sha256("".join(f"{line}\n" for line in by_key).encode()).hexdigest()
    assert version.counts["approved"] == 2
    written = {split: write_jsonl(version, split, tmp_path / split) for split in ("train", "eval")}
    assert sum(written.values()) == 2
    read = [json.loads(line) for line in (tmp_path / "train").read_text().splitlines()]
    assert [set(row) for row in read] == [{"key", "prompt", "completion"}] * len(read)
    assert [row["key"] for row in read] == sorted(row["key"] for row in read)

    row = version.rows.first()
    assert row is not None
    for change in (row.save, row.delete, version.rows.all().delete, lambda: version.rows.update(completion="x")):
        with pytest.raises(TypeError, match="frozen version"):
            change()
    for change in (
        lambda: reviewing.edit_row(actor=actor, row=row, completion="Another."),
        lambda: reviewing.review_row(actor=actor, row=row, state="rejected"),
        lambda: propose(version, []) or checks.refresh(version),
    ):
        with pytest.raises(VersionFrozen):
            change()
    assert content_hash(version) == version.content_hash


def test_new_draft_has_all_of_the_last_version_and_the_difference_names_what_changed(
    dataset: Any, actor: Any, add_rows: Callable[..., Any]
) -> None:
    rows = add_rows(dataset, *PAIRS)
    approve(actor, *rows)
    first = freeze(draft_of(dataset), actor)
    draft = open_draft(dataset, actor=actor)
    assert (draft.number, draft.state, draft.rows.count()) == (2, "draft", 3)
    assert open_draft(dataset, actor=actor).pk == draft.pk
    edited, removed, _ = draft.rows.order_by("created", "pk")
    reviewing.edit_row(actor=actor, row=edited, completion="It is two.")
    reviewing.review_row(actor=actor, row=removed, state="rejected")
    (added,) = add_rows(dataset, ("What is new?", "This."))
    edited.refresh_from_db()
    approve(actor, edited, added)
    found = difference(first, draft)
    assert (found.added, found.removed) == ([added.key], [removed.key])
    assert found.changed == [(rows[0].key, edited.key)]
    second = freeze(draft, actor)
    assert second.content_hash != first.content_hash
    assert [r.completion for r in rows_of(first) if r.key == rows[0].key] == ["Two."], "the first stays as it was"


def test_draft_copies_rows_in_their_order_with_their_sources_and_reviews(
    dataset: Any, actor: Any, add_rows: Callable[..., Any], document: Any
) -> None:
    def told(version: Any) -> list[Any]:
        rows = version.rows.order_by("created", "pk")
        of_row = ("key", "first_key", "prompt", "flags", "state", "reviewed_by_id", "reviewed", "erased")
        of_source = ("role", "document_id", "document_ref", "base_ref", "version", "start", "end", "title")
        return [
            ([getattr(row, name) for name in of_row], list(row.sources.order_by("pk").values_list(*of_source)))
            for row in rows
        ]

    approve(actor, *add_rows(dataset, *PAIRS, document=document.pk))
    add_rows(dataset, ("Proposed?", "And copied."))
    first = freeze(draft_of(dataset), actor)
    draft = open_draft(dataset, actor=actor)
    assert told(draft) == told(first)
    assert [len(sources) for _, sources in told(draft)] == [1] * len(PAIRS) + [0]
    assert not set(draft.rows.values_list("pk", flat=True)) & set(first.rows.values_list("pk", flat=True))


def test_same_rows_have_the_same_hash_whenever_they_are_frozen(
    dataset: Any, actor: Any, add_rows: Callable[..., Any]
) -> None:
    approve(actor, *add_rows(dataset, *PAIRS))
    first = freeze(draft_of(dataset), actor)
    other = services.create_dataset(actor=actor, name="The same", kind="instruction")
    approve(actor, *reversed(add_rows(other, *reversed(PAIRS))))
    assert freeze(draft_of(other), actor).content_hash == first.content_hash


def test_nothing_approved_is_nothing_to_freeze(dataset: Any, actor: Any, add_rows: Callable[..., Any]) -> None:
    add_rows(dataset, *PAIRS)
    with pytest.raises(NothingToFreeze):
        freeze(draft_of(dataset), actor)


def test_rows_of_one_document_are_never_on_both_sides(
    dataset: Any, actor: Any, add_rows: Callable[..., Any], document: Any
) -> None:
    for number in range(30):
        add_rows(dataset, (f"Question {number} about apples number {number}", f"Answer {number}"))
    add_rows(dataset, *((f"Ask {n} of pears {n}", f"Reply {n}") for n in range(6)), document=document.pk)
    version = draft_of(dataset)
    checks.refresh(version)
    assert len({row.split for row in version.rows.filter(sources__document_ref=document.pk)}) == 1
    assert {row.split for row in version.rows.all()} == {"train", "eval"}


def test_copies_are_told_and_may_be_approved(dataset: Any, actor: Any, add_rows: Callable[..., Any]) -> None:
    words = "How long may a member of the club keep a locker in the hall by the entrance of the house, and who pays for the key when it is lost?"
    add_rows(dataset, (words, "For 14 months."), (words.upper(), "For 14 months."))
    add_rows(dataset, (words.replace("hall", "room"), "For 14 months."))
    version = draft_of(dataset)
    found = checks.refresh(version)
    assert found["flags"] == {"duplicate": 1, "near_duplicate": 1}
    flagged = version.rows.exclude(flags={}).order_by("created", "pk")
    approve(actor, *flagged)
    assert version.rows.filter(state="approved").count() == 2


def test_questions_kept_out_are_leaks_and_take_approval_back(
    dataset: Any, actor: Any, add_rows: Callable[..., Any], document: Any, tenant: Any
) -> None:
    (asking,) = add_rows(dataset, ("How long may a locker be kept by a member of the club?", "14 months."))
    (resting,) = add_rows(dataset, ("Anything else entirely about it", "Yes."), document=document.pk)
    approve(actor, asking, resting)
    KeptOutQuestion.objects.create(
        tenant=tenant, key="1", text="How long may a locker be kept by a member?", document_ref=uuid.uuid4(), start=0,
        end=9, file="set.csv",
    )  # fmt: skip
    KeptOutQuestion.objects.create(
        tenant=tenant, key="2", text="Who registers?", document_ref=document.pk, start=5, end=20, file="set.csv"
    )
    found = checks.refresh(draft_of(dataset))
    assert (found["flags"]["leak"], found["returned"]) == (2, 2)
    asking.refresh_from_db()
    resting.refresh_from_db()
    assert "nearly what an evaluation question asks" in asking.flags["leak"][0]
    assert "rests on the words that answer the evaluation question “Who registers?”" in resting.flags["leak"][0]
    with pytest.raises(reviewing.RowRefused, match="evaluation question"):
        reviewing.review_row(actor=actor, row=asking, state="approved")


def test_rows_too_long_for_the_model_are_refused_and_not_cut(
    dataset: Any, actor: Any, add_rows: Callable[..., Any], run_builds: Callable[[], list[Any]]
) -> None:
    long, short = add_rows(dataset, ("x " * 3_000, "Yes."), ("Short?", "Yes, it is."))
    services.set_limits(actor=actor, dataset=dataset, chosen={"window": 1024, "output": 256})
    run_builds()
    long.refresh_from_db()
    assert "do not fit the window of 1,024" in long.flags["too_long"][0]
    assert len(long.prompt[0]["content"]) == 6_000
    assert reviewing.review_unflagged(actor=actor, dataset=dataset) == 1
    short.refresh_from_db()
    assert short.state == "approved"


def test_lineage_names_documents_of_approved_rows(
    dataset: Any, actor: Any, add_rows: Callable[..., Any], document: Any
) -> None:
    (row,) = add_rows(dataset, PAIRS[0], document=document.pk)
    version = draft_of(dataset)
    assert documents_of(version) == set()
    approve(actor, row)
    assert documents_of(version) == {document.pk}
    assert list(frozen_versions_with(document.pk)) == []
    freeze(version, actor)
    assert list(frozen_versions_with(document.pk)) == [version]


def test_edited_row_is_not_proposed_again(dataset: Any, actor: Any, add_rows: Callable[..., Any]) -> None:
    (row,) = add_rows(dataset, PAIRS[0])
    reviewing.edit_row(actor=actor, row=row, completion="2")
    add_rows(dataset, PAIRS[0])
    assert draft_of(dataset).rows.count() == 1


def test_readers_see_and_change_nothing(
    dataset: Any, member: Any, tenant: Any, other_tenant: Any, make_user: Any
) -> None:
    from chatapp.finetuning.datasets.access import DatasetNotFound, access_dataset

    reader = actor_for(user_id=member.pk, tenant_id=tenant.pk)
    stranger = make_user("owner@globex.test", tenant=other_tenant, role="owner")
    for who in (reader, actor_for(user_id=stranger.pk)):
        with pytest.raises(DatasetNotFound):
            access_dataset(actor=who, pk=dataset.pk)
    with pytest.raises(NotAllowed):
        services.create_dataset(actor=reader, name="Mine", kind="raft")


def test_name_and_kind_are_checked_in_words(dataset: Any, actor: Any) -> None:
    with pytest.raises(services.BadDataset, match="There is a dataset called “Forms” already"):
        services.create_dataset(actor=actor, name="Forms", kind="raft")
    with pytest.raises(services.BadDataset, match="needs a name and a kind"):
        services.create_dataset(actor=actor, name=" ", kind="raft")
