"""Builds of files, answers, checks and freezing: whole, or killed in the middle, or too late."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from chatapp.finetuning.datasets import (
    builds,
    checks,
    queueing,
    reviewing,
    starting,
    storing,
    taking,
    uploads,
    versions,
)
from chatapp.finetuning.datasets.answers import Found
from chatapp.finetuning.datasets.build_models import BuildFile, DatasetBuild
from chatapp.finetuning.datasets.models import TrainingRow
from chatapp.finetuning.datasets.shapes import Proposal
from chatapp.finetuning.datasets.versions import draft_of, freeze
from knowledge.documents import jobs

# Committed, for the heartbeat of a build looks from a thread of its own.
pytestmark = [pytest.mark.django_db(transaction=True)]

Rows = Callable[..., list[Any]]
Run = Callable[[], list[Any]]
COUNT = 120
LINES = [json.dumps({"prompt": f"Question {n} of {n * 7}?", "completion": f"Answer {n}."}) for n in range(COUNT)]
FILE = "\n".join([*LINES, "no", LINES[0]]).encode()


class Killed(BaseException):
    """Nothing is written after it."""


def killed(monkeypatch: pytest.MonkeyPatch, build: DatasetBuild, place: Any, name: str, *, at: int = 1) -> None:
    """Run a build with a worker that is killed when it reaches a function for the ``at``-th time; then its lease ends."""
    original, times = getattr(place, name), []

    def reach(*args: Any, **more: Any) -> Any:
        times.append(name)
        if len(times) == at:
            raise Killed
        return original(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, reach)
        with pytest.raises(Killed):
            builds.run_build(build_id=build.pk)
    lost = DatasetBuild.objects.filter(pk=build.pk, state="running")
    assert lost.update(lease_until="2020-01-01T00:00:00Z") == 1


def end(build: DatasetBuild) -> DatasetBuild:
    builds.run_build(build_id=build.pk)
    build.refresh_from_db()
    return build


def file_of(dataset: Any, actor: Any) -> DatasetBuild:
    return starting.start_file(actor=actor, dataset=dataset, data=FILE, name="rows.jsonl")


@pytest.fixture
def ready(dataset: Any, add_rows: Rows, actor: Any) -> TrainingRow:
    """An approved row."""
    (row,) = add_rows(dataset, ("Say hello to everybody.", "Hello!"))
    return reviewing.review_row(actor=actor, row=row, state="approved")


@pytest.mark.parametrize(
    ("place", "name", "at"),
    [(taking, "read_rows", 1), (builds, "store", 2), (TrainingRow.objects, "bulk_create", 2), (builds, "_change", 4),
     (checks, "_kept", 1), (jobs, "finish", 1)],
)  # fmt: skip
def test_file_is_taken_line_by_line_once_wherever_its_worker_is_killed(
    dataset: Any, actor: Any, run_builds: Run, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, at: int
) -> None:
    build = file_of(dataset, actor)
    killed(monkeypatch, build, place, name, at=at)
    build.refresh_from_db()
    counts = Counter(build.counts)
    assert (counts["proposed"], counts["proposed"] + counts["known"]) == (draft_of(dataset).rows.count(), build.done)
    assert end(build).state == "done"
    assert {n: c for n, c in build.counts.items() if c} == {"proposed": COUNT, "known": 1}
    assert (build.total, build.done, build.progress) == (COUNT + 1, COUNT + 1, 1.0)
    assert build.report["errors"] == [[COUNT + 1, "It is no JSON object. Each line is one object."]]
    rows = draft_of(dataset).rows
    assert (rows.count(), rows.filter(tokens=0).count()) == (COUNT, 0)
    assert not BuildFile.objects.exists()


def test_killed_check_is_done_by_the_next_worker(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(dataset, ("Say hello.", "Hello!"))
    build = starting.start_check(actor=actor, dataset=dataset)
    killed(monkeypatch, build, checks, "_kept")
    assert draft_of(dataset).rows.get().tokens == 0
    assert end(build).state == "done"
    assert draft_of(dataset).rows.get().tokens > 0


@pytest.mark.parametrize(("place", "name"), [(checks, "_kept"), (versions, "content_hash"), (jobs, "finish")])
def test_killed_freezing_ends_frozen_once(
    dataset: Any, actor: Any, ready: Any, monkeypatch: pytest.MonkeyPatch, place: Any, name: str
) -> None:
    build = starting.start_freeze(actor=actor, dataset=dataset)
    killed(monkeypatch, build, place, name)
    was = versions.newest_frozen(dataset)
    assert (was is not None) == (place is jobs)
    assert end(build).state == "done", build.last_error
    version = dataset.versions.get()
    assert (version.state, str(version.pk), build.report["version"]) == ("frozen", build.options["version"], 1)
    assert was is None or was.frozen == version.frozen


def test_killed_build_of_answers_goes_on_with_the_answers_that_are_left(
    dataset: Any, actor: Any, run_builds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{n:032d}" for n in range(120)]
    asked: list[list[str]] = []

    def from_answers(_: Any, some: list[str], **__: Any) -> Found:
        asked.append(some)
        proposals = [Proposal(origin="answer", prompt=[{"role": "user", "content": pk}], completion=pk) for pk in some]
        return Found(proposals=proposals[1:], left_out=Counter({"wrong": 1}))

    monkeypatch.setattr(starting, "answer_ids", lambda **_: ids)
    monkeypatch.setattr(taking, "from_answers", from_answers)
    build = starting.start_answers(actor=actor, dataset=dataset)
    killed(monkeypatch, build, builds, "store", at=2)
    assert end(build).state == "done"
    assert [some[0] for some in asked] == [ids[0], ids[50], ids[50], ids[100]]
    assert {n: c for n, c in build.counts.items() if c} == {"proposed": 117, "wrong": 3, "left_out": 3}
    assert build.work == []


@pytest.mark.parametrize("kind", ["file", "check", "freeze", "answers"])
def test_worker_that_is_stopped_each_time_ends_in_words(
    dataset: Any, actor: Any, ready: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, kind: str
) -> None:
    monkeypatch.setattr(starting, "answer_ids", lambda **_: ["0" * 32])
    start = {"file": lambda: file_of(dataset, actor), "check": lambda: starting.start_check(actor=actor, dataset=dataset),
             "freeze": lambda: starting.start_freeze(actor=actor, dataset=dataset),
             "answers": lambda: starting.start_answers(actor=actor, dataset=dataset)}  # fmt: skip
    build = start[kind]()
    for _ in range(settings.JOB_ATTEMPTS):
        killed(monkeypatch, build, builds, "_work")
    assert (end(build).state, build.last_error) == ("failed", builds.STOPPED)
    assert build.work == []
    assert not BuildFile.objects.exists(), "nobody needs its file any more"
    left = dataset.builds.unfinished().values_list("kind", flat=True)
    assert list(left) == ([] if kind == "check" else ["check"]), "rows that it may have left are checked"


def test_check_that_takes_longer_than_a_task_may_ends_in_words(
    dataset: Any, actor: Any, ready: Any, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def refresh(*_: Any, **__: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(checks, "refresh", refresh)
    build = starting.start_check(actor=actor, dataset=dataset)
    for _ in range(settings.JOB_ATTEMPTS):
        DatasetBuild.objects.filter(pk=build.pk).update(not_before="2020-01-01T00:00:00Z")
        end(build)
    assert build.state == "failed"
    assert builds.SLOW in build.last_error


def test_file_for_a_draft_that_was_frozen_meanwhile_adds_nothing_to_the_next_one(
    dataset: Any, actor: Any, ready: Any
) -> None:
    build = file_of(dataset, actor)
    freeze(draft_of(dataset), actor)
    assert (end(build).state, build.last_error) == ("failed", builds.TOO_LATE.format(number=1))
    assert dataset.versions.get().rows.count() == 1


def test_file_opens_the_draft_where_there_is_none_and_keeps_to_it(
    dataset: Any, actor: Any, ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(draft_of(dataset), actor)
    build = file_of(dataset, actor)
    assert draft_of(dataset) is None, "its rows are copied by the worker"
    killed(monkeypatch, build, builds, "store")
    build.refresh_from_db()
    assert build.options["version"] == str(draft_of(dataset).pk)
    assert end(build).state == "done"
    assert draft_of(dataset).rows.count() == COUNT + 1


def test_dataset_that_gets_full_keeps_what_it_took_and_says_so(
    dataset: Any, actor: Any, run_builds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "MOST_ROWS", 60)
    build = file_of(dataset, actor)
    file, check = run_builds()
    assert (file.pk, file.state, check.kind, check.state) == (build.pk, "failed", "check", "done")
    assert "rows at most" in file.last_error
    assert (file.counts["proposed"], draft_of(dataset).rows.count()) == (50, 50)
    assert file.report["refused"] == 1
    assert not draft_of(dataset).rows.filter(tokens=0).exists()


def test_cancelled_freezing_does_not_freeze(
    dataset: Any, actor: Any, ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatapp.finetuning.datasets import drifting

    build = starting.start_freeze(actor=actor, dataset=dataset)

    def drift_of(_: Any) -> dict[str, Any]:
        queueing.cancel_build(actor=actor, build=build)
        return {}

    monkeypatch.setattr(drifting, "drift_of", drift_of)
    assert end(build).state == "cancelled"
    assert dataset.versions.get().state == "draft"


def test_freezing_that_the_last_check_forbids_says_why(
    dataset: Any, actor: Any, ready: Any, tenant: Any, run_builds: Run
) -> None:
    from chatapp.finetuning.datasets.models import KeptOutQuestion

    build = starting.start_freeze(actor=actor, dataset=dataset)
    KeptOutQuestion.objects.create(tenant=tenant, key="1", text="Say hello to everybody.", file="set.csv")
    assert (end(build).state, build.last_error) == ("failed", "No row is approved yet. Review some rows first.")
    ready.refresh_from_db()
    assert (ready.state, dataset.versions.get().state) == ("proposed", "draft")


def test_row_that_is_approved_while_it_is_frozen_is_checked_first(
    dataset: Any, actor: Any, ready: Any, add_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatapp.finetuning.datasets import drifting

    def drift_of(_: Any) -> dict[str, Any]:
        monkeypatch.undo()
        (late,) = add_rows(dataset, ("Say goodbye.", "Bye!"))
        reviewing.review_row(actor=actor, row=late, state="approved")
        return {}

    build = starting.start_freeze(actor=actor, dataset=dataset)
    monkeypatch.setattr(drifting, "drift_of", drift_of)
    assert (end(build).state, dataset.versions.get().state) == ("queued", "draft")
    assert "Rows were added and approved" in build.last_error
    DatasetBuild.objects.filter(pk=build.pk).update(not_before="2020-01-01T00:00:00Z")
    assert end(build).state == "done"
    assert not dataset.versions.get().rows.filter(tokens=0).exists()


def test_nonsense_is_refused_before_anything_is_queued(dataset: Any, actor: Any) -> None:
    for data in (b"", b"\n \n", b"\xff\xfe", b"\n".join([b"{}"] * (uploads.MOST_LINES + 1))):
        with pytest.raises(uploads.UploadRefused):
            starting.start_file(actor=actor, dataset=dataset, data=data, name="rows.jsonl")
    with pytest.raises(versions.NothingToFreeze, match="No row is approved yet"):
        starting.start_freeze(actor=actor, dataset=dataset)
    assert not DatasetBuild.objects.exists()
