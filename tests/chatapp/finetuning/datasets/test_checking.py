"""Checks of a draft as builds: who asks for one, what waits for it, and what never passes unchecked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatapp.finetuning.datasets import builds, checks, lengths, queueing, reviewing, services, starting, writing
from chatapp.finetuning.datasets.freshness import needs_check, outdated, unlooked
from chatapp.finetuning.datasets.models import KeptOutQuestion
from chatapp.finetuning.datasets.versions import draft_of, freeze, open_draft

# Committed, for the heartbeat of a build looks from a thread of its own.
pytestmark = [pytest.mark.django_db(transaction=True)]

NARROW = {"window": 1024, "output": 256}
PAIRS = (("x " * 3_000, "Yes."), ("Short?", "Yes, it is."))

Rows = Callable[..., list[Any]]
Run = Callable[[], list[Any]]


def kept_out(tenant: Any, text: str) -> None:
    KeptOutQuestion.objects.create(tenant=tenant, key=text, text=text, file="set.csv")


def test_limits_hold_at_once_and_the_rows_are_checked_by_a_build(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run
) -> None:
    long, _ = add_rows(dataset, *PAIRS)
    build = services.set_limits(actor=actor, dataset=dataset, chosen=NARROW)
    assert draft_of(dataset).checks["limits"] == NARROW
    long.refresh_from_db()
    assert (build.kind, build.state, long.tokens) == ("check", "queued", 0)
    assert [each.pk for each in run_builds()] == [build.pk]
    long.refresh_from_db()
    assert "do not fit the window of 1,024" in long.flags["too_long"][0]
    assert draft_of(dataset).checks["limits"] == draft_of(dataset).checks["counted"] == NARROW


def test_limits_are_neither_set_nor_lost_while_rows_are_added(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(dataset, *PAIRS)
    starting.start_file(actor=actor, dataset=dataset, name="a.jsonl", data=b'{"prompt": "a?", "completion": "b"}')
    with pytest.raises(queueing.BuildRefused):
        services.set_limits(actor=actor, dataset=dataset, chosen=NARROW)
    assert "limits" not in draft_of(dataset).checks
    run_builds()
    services.set_limits(actor=actor, dataset=dataset, chosen=NARROW)
    version, original = draft_of(dataset), checks._share_out

    def share_out(*args: Any, **more: Any) -> None:
        services.set_limits(actor=actor, dataset=dataset, chosen={"window": 2048, "output": 0})
        original(*args, **more)

    monkeypatch.setattr(checks, "_share_out", share_out)
    checks.refresh(version)
    monkeypatch.undo()
    assert version.checks["limits"] == {"window": 2048, "output": 0}, "whoever keeps what was found leaves them alone"
    assert version.checks["counted"] == NARROW
    run_builds()
    assert not needs_check(draft_of(dataset))


def test_rows_are_counted_anew_only_where_other_limits_counted_before(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    original = checks.own_flags

    def own_flags(row: Any, *args: Any, **more: Any) -> Any:
        counted.append(row.pk)
        return original(row, *args, **more)

    monkeypatch.setattr(checks, "own_flags", own_flags)
    add_rows(dataset, *PAIRS)
    checks.refresh(draft_of(dataset))
    assert len(counted) == 2
    (third,) = add_rows(dataset, ("Third?", "Yes."))
    checks.refresh(draft_of(dataset))
    assert counted[2:] == [third.pk]
    services.set_limits(actor=actor, dataset=dataset, chosen=NARROW)
    services.set_limits(actor=actor, dataset=dataset, chosen={})  # and back: a row may have been edited in between
    run_builds()
    assert len(counted) == 3 + 3


def test_all_unflagged_are_not_approved_while_a_build_is_open(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run
) -> None:
    add_rows(dataset, *PAIRS)
    build = starting.start_check(actor=actor, dataset=dataset)
    with pytest.raises(queueing.BuildRefused, match="Approve them together when that is done") as refused:
        reviewing.review_unflagged(actor=actor, dataset=dataset)
    assert refused.value.status == 409
    queueing.cancel_build(actor=actor, build=build)
    assert reviewing.review_unflagged(actor=actor, dataset=dataset) == 0, "nothing was looked for on them"
    starting.start_check(actor=actor, dataset=dataset)
    run_builds()
    assert reviewing.review_unflagged(actor=actor, dataset=dataset) == 2


def test_what_was_not_looked_at_since_is_not_approved_with_all_others(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run, tenant: Any
) -> None:
    (leak,) = add_rows(dataset, ("How long may a locker be kept by a member?", "14 months."))
    checks.refresh(draft_of(dataset))
    kept_out(tenant, "How long may a locker be kept by a member?")
    with pytest.raises(reviewing.RowRefused, match="kept out since the rows were checked"):
        reviewing.review_unflagged(actor=actor, dataset=dataset)
    build = services.set_limits(actor=actor, dataset=dataset, chosen=NARROW)
    queueing.cancel_build(actor=actor, build=build)
    with pytest.raises(reviewing.RowRefused, match="not checked for this model yet"):
        reviewing.review_unflagged(actor=actor, dataset=dataset)
    starting.start_check(actor=actor, dataset=dataset)
    run_builds()
    assert outdated(draft_of(dataset)) == ""
    assert reviewing.review_unflagged(actor=actor, dataset=dataset) == 0
    leak.refresh_from_db()
    assert "leak" in leak.flags


def test_edit_of_a_row_that_was_not_looked_at_leaves_it_so(dataset: Any, actor: Any, add_rows: Rows) -> None:
    (row,) = add_rows(dataset, PAIRS[1])
    reviewing.edit_row(actor=actor, row=row, completion="It is.")
    assert unlooked(draft_of(dataset)) == 1
    checks.refresh(draft_of(dataset))
    row.refresh_from_db()
    before = row.tokens
    reviewing.edit_row(actor=actor, row=row, completion="It is very short.")
    assert row.tokens > before
    assert unlooked(draft_of(dataset)) == 0


def test_edit_keeps_a_leak_that_was_found_meanwhile(dataset: Any, actor: Any, add_rows: Rows, tenant: Any) -> None:
    (row,) = add_rows(dataset, ("How long may a locker be kept by a member?", "14 months."))
    kept_out(tenant, "How long may a locker be kept by a member?")
    checks.refresh(draft_of(dataset))
    assert row.flags == {}, "as it was when its page was drawn"
    reviewing.edit_row(actor=actor, row=row, completion="15 months.")
    row.refresh_from_db()
    assert "leak" in row.flags


def test_row_of_ones_own_is_checked_beside_the_others_by_a_build(
    dataset: Any, actor: Any, run_builds: Run, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_out(tenant, "How long may a locker be kept by a member?")
    with monkeypatch.context() as patch:
        patch.setattr(checks, "refresh", lambda *_, **__: pytest.fail("all rows were checked in the request"))
        for answer in ("14 months.", "15 months."):
            writing.add_curated(
                actor=actor, dataset=dataset, question="How long may a locker be kept by a member?", answer=answer
            )
    assert [build.kind for build in run_builds()] == ["check"], "one for both"
    assert all("leak" in row.flags for row in draft_of(dataset).rows.all())


def test_row_that_comes_while_others_are_checked_is_checked_after_them(
    dataset: Any, actor: Any, run_builds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting.start_file(actor=actor, dataset=dataset, name="a.jsonl", data=b'{"prompt": "a?", "completion": "b"}')
    original = checks._share_out

    def share_out(*args: Any, **more: Any) -> None:
        monkeypatch.undo()
        writing.add_curated(actor=actor, dataset=dataset, question="Late?", answer="Yes.")
        original(*args, **more)

    monkeypatch.setattr(checks, "_share_out", share_out)
    monkeypatch.setattr("knowledge.documents.tasks.publish", lambda task, **_: True)
    assert [build.kind for build in run_builds()] == ["file", "check"]
    assert unlooked(draft_of(dataset)) == 0


def test_check_gives_way_and_then_keeps_nothing(
    dataset: Any, actor: Any, add_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row, _) = add_rows(dataset, *PAIRS)
    check = starting.start_check(actor=actor, dataset=dataset)
    original = checks._share_out

    def share_out(*args: Any, **more: Any) -> None:
        starting.start_file(actor=actor, dataset=dataset, name="a.jsonl", data=b'{"prompt": "a?", "completion": "b"}')
        original(*args, **more)

    monkeypatch.setattr(checks, "_share_out", share_out)
    builds.run_build(build_id=check.pk)
    check.refresh_from_db()
    row.refresh_from_db()
    assert (check.state, row.tokens) == ("cancelled", 0), "the file's build checks all rows when they are there"
    assert dataset.builds.unfinished().get().kind == "file"


def test_who_reviews_while_rows_are_checked_stays_the_reviewer(
    dataset: Any, actor: Any, add_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = add_rows(dataset, *PAIRS)
    original = checks._share_out

    def share_out(*args: Any, **more: Any) -> None:
        reviewing.review_row(actor=actor, row=rows[0], state="rejected")
        reviewing.review_row(actor=actor, row=rows[1], state="approved")
        original(*args, **more)

    monkeypatch.setattr(checks, "_share_out", share_out)
    checks.refresh(draft_of(dataset))
    for row, state in zip(rows, ("rejected", "approved"), strict=True):
        row.refresh_from_db()
        assert (row.state, row.reviewed_by_id, row.tokens > 0) == (state, actor.user_id, True)


def test_check_that_is_cut_off_is_not_taken_for_one(
    dataset: Any, actor: Any, add_rows: Rows, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(dataset, *PAIRS, ("Third?", "Yes."))
    kept_out(tenant, "Third?")
    monkeypatch.setattr(checks, "KEPT_TOGETHER", 2)
    held: list[int] = []

    def hold() -> None:
        held.append(1)
        if len(held) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.refresh(draft_of(dataset), hold=hold)
    assert unlooked(draft_of(dataset)) == 1
    with pytest.raises(reviewing.RowRefused, match="kept out since"):
        reviewing.review_unflagged(actor=actor, dataset=dataset)
    checks.refresh(draft_of(dataset))
    assert not needs_check(draft_of(dataset))
    assert draft_of(dataset).checks["flags"] == {"leak": 1}


def test_draft_of_a_frozen_version_need_not_be_checked_before_something_changes(
    dataset: Any, actor: Any, add_rows: Rows, run_builds: Run
) -> None:
    rows = add_rows(dataset, *PAIRS)
    services.set_limits(actor=actor, dataset=dataset, chosen=NARROW)
    run_builds()
    reviewing.review_row(actor=actor, row=rows[1], state="approved")
    freeze(draft_of(dataset), actor)
    draft = open_draft(dataset, actor=actor)
    assert not needs_check(draft)
    assert lengths.Limits.of(draft.checks["limits"]).window == 1024
    with pytest.raises(queueing.BuildRefused, match="no draft to check"):
        freeze(draft, actor)
        starting.start_check(actor=actor, dataset=dataset)
