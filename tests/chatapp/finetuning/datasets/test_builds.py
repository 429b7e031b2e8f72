"""Builds as leased jobs: from a file of questions, from passages by rule and by a model; cancelled, resumed, stopped."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from chatapp.finetuning.datasets import builds, making, queueing, reviewing, services, starting
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.models import KeptOutQuestion
from chatapp.finetuning.datasets.questions import QuestionsRefused
from chatapp.finetuning.datasets.versions import draft_of
from chatapp.language_models.models import LanguageModel, UsageEntry
from knowledge.documents import jobs

QUOTE = "Every employee has 27 days of annual leave, requested in the staff portal."
FILE = b"""question,document,quote,answer
How many days of leave are there?,leave.md,Every employee has 27 days of annual leave,Employees have 27 days of annual leave.
Where may guests park?,visitors.md,Guests may park in the yard,
Who sings?,nowhere.md,Nobody sings,
"""


def run(build: DatasetBuild) -> DatasetBuild:
    builds.run_build(build_id=build.pk)
    build.refresh_from_db()
    return build


def test_file_of_questions_becomes_verified_rows_once(raft: Any, actor: Any) -> None:
    build = run(starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv"))
    assert (build.state, build.progress, build.done) == ("done", 1.0, 2)
    assert build.report["counts"]["proposed"] == 2
    assert build.work == [], "what was asked is in the rows alone"
    assert build.notes == ["1 of 3 questions were not placed."]
    rows = list(draft_of(raft).rows.order_by("created"))
    assert {row.origin for row in rows} == {"case"}
    assert [row.flags for row in rows] == [{}, {}]
    assert {case for row in rows for case in row.sources.exclude(case_ref="").values_list("case_ref", flat=True)} == {
        "set.csv"
    }
    again = run(starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv"))
    assert again.report["counts"].get("proposed", 0) == 0
    assert draft_of(raft).rows.count() == 2


def test_rule_makes_rows_of_headings_that_pass_the_verifier(raft: Any, actor: Any) -> None:
    build = run(starting.start_synthesis(actor=actor, dataset=raft, passages=10, per_passage=1))
    assert build.state == "done"
    rows = list(draft_of(raft).rows.all())
    assert rows, build.notes
    assert all(row.flags == {} and row.origin == "synthesised" for row in rows)
    assert any("What does “" in row.prompt[-1]["content"] for row in rows)


def test_model_writes_questions_whose_quotes_must_stand_in_the_passage(
    raft: Any, actor: Any, tenant: Any, scripted_model: Any
) -> None:
    model = LanguageModel.objects.create(
        tenant=tenant, slug="writer", name="Writer", model="openai/scripted-custom", api_base=scripted_model.url,
        source="added", price_prompt=1, price_completion=2,
    )  # fmt: skip
    reply = [
        {"question": "How many days of annual leave has an employee?", "answer": "Every employee has 27 days.", "quote": QUOTE},
        {"question": "Made up?", "answer": "Yes.", "quote": "This stands nowhere."},
    ]  # fmt: skip

    said = f"Here you are:\n{json.dumps(reply)}"
    scripted_model.script([said], usage={"prompt_tokens": 500, "completion_tokens": 100})
    _, _, told = starting.planned(actor=actor, dataset=raft, passages=9, per_passage=2, model="writer")
    assert told.dollars is not None
    assert told.dollars > 0
    build = run(starting.start_synthesis(actor=actor, dataset=raft, passages=9, per_passage=2, model="writer"))
    assert build.state == "done", build.last_error
    (row,) = draft_of(raft).rows.all()
    assert row.flags == {}
    assert any("quoted what does not stand" in note for note in build.notes)
    entry = UsageEntry.objects.filter(purpose="synthesis").first()
    assert entry is not None
    assert (entry.language_model_id, entry.cost, entry.user_id) == (model.pk, Decimal("0.0007"), actor.user_id)


def test_cancelled_build_stops_and_what_it_proposed_stays(
    raft: Any, actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv")
    original, taken = making.Maker.make, []

    def make(self: Any, item: Any) -> Any:
        taken.append(item["question"])
        if len(taken) == 2:
            queueing.cancel_build(actor=actor, build=build)
        return original(self, item)

    monkeypatch.setattr(making.Maker, "make", make)
    assert run(build).state == "cancelled"
    assert (build.done, build.work) == (1, [])
    assert draft_of(raft).rows.count() == 1
    check = raft.builds.get(kind="check")
    assert run(check).state == "done", "what was proposed is checked nevertheless"
    assert draft_of(raft).rows.get().tokens


def test_build_goes_on_where_a_killed_worker_left_it(raft: Any, actor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build = starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv")
    taken: list[str] = []
    original = making.Maker.make

    def make(self: Any, item: Any) -> Any:
        taken.append(item["question"])
        if len(taken) == 2:
            raise KeyboardInterrupt  # as a kill: nothing is written after it
        return original(self, item)

    monkeypatch.setattr(making.Maker, "make", make)
    with pytest.raises(KeyboardInterrupt):
        builds.run_build(build_id=build.pk)
    DatasetBuild.objects.filter(pk=build.pk).update(lease_until="2020-01-01T00:00:00Z")
    assert run(build).state == "done"
    assert taken == [taken[0], taken[1], taken[1]], "the first is not made again"
    assert draft_of(raft).rows.count() == 2


def test_only_one_build_at_a_time_and_only_for_answers_over_passages(raft: Any, dataset: Any, actor: Any) -> None:
    starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv")
    with pytest.raises(queueing.BuildRefused, match="under way"):
        starting.start_synthesis(actor=actor, dataset=raft, passages=1, per_passage=1)
    with pytest.raises(queueing.BuildRefused, match="answers over passages"):
        starting.start_synthesis(actor=actor, dataset=dataset, passages=1, per_passage=1)


def test_who_lost_the_right_to_edit_ends_the_build(raft: Any, actor: Any, tenant: Any) -> None:
    from knowledge.tenants.models import Membership

    build = starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv")
    Membership.objects.filter(tenant=tenant, user_id=actor.user_id).update(role="reader")
    assert (run(build).state, build.last_error) == ("failed", builds.NOBODY)


def test_questions_kept_out_are_placed_in_their_documents(raft: Any, actor: Any, library: Any) -> None:
    kept, notes = services.keep_out(actor=actor, dataset=raft, data=FILE, name="set.csv")
    assert (kept, len(notes)) == (2, 1)
    row = KeptOutQuestion.objects.get(text__startswith="How many")
    assert (row.document_ref, row.file) == (library.documents[1].pk, "set.csv")
    build = run(starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv"))
    assert build.state == "done"
    assert all("leak" in row.flags for row in draft_of(raft).rows.all())
    assert raft.builds.get(kind="check").state == "cancelled", "the build of questions ended with that check"
    assert reviewing.review_unflagged(actor=actor, dataset=raft) == 0
    with pytest.raises(QuestionsRefused, match="None of these questions"):
        services.keep_out(actor=actor, dataset=raft, data=b"question,document\nA?,nowhere\n", name="x.csv")


def test_job_of_a_build_is_swept_and_rung(raft: Any, actor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    from knowledge.documents import doorbells

    build = starting.start_questions(actor=actor, dataset=raft, data=FILE, name="set.csv")
    DatasetBuild.objects.filter(pk=build.pk).update(published=None)
    rung: list[Any] = []
    monkeypatch.setattr(doorbells, "ring", rung.append)
    doorbells.sweep(now=timezone.now())
    assert [job.pk for job in rung if isinstance(job, DatasetBuild)] == [build.pk]
    assert jobs.claim_of(DatasetBuild.objects.all(), build.pk) is not None
