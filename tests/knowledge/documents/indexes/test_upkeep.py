"""Upkeep of the index: a job that says what it did, is left out where nothing changed, and fails in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import doorbells, tasks
from knowledge.documents.indexes import index_jobs, upkeep
from knowledge.documents.models import IndexJob
from knowledge.errors import StoreError
from knowledge.stores.locking import file_lock

pytestmark = pytest.mark.django_db(transaction=True)

State = IndexJob.State


def jobs_of(world: Any) -> list[IndexJob]:
    return list(upkeep.history(tenant_id=world.actor.tenant_id, space=world.space))


def run_rung(world: Any) -> int:
    """Run what was rung for, as a worker would."""
    rung = [str(arguments["job_id"]) for name, arguments in world.sent if name == "keep_up"]
    for job_id in rung:
        tasks.keep_up(job_id=job_id, added_later=True)
    return len(rung)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    def arrange(error: Exception) -> None:
        def optimize(**_: object) -> None:
            raise error

        monkeypatch.setattr(wiring.store(), "optimize", optimize)

    return arrange


def test_upkeep_says_what_it_did(world: Any) -> None:
    for i in range(6):
        world.add(f"The otter number {i} swims.", f"otter{i}.md")
    tasks.optimize_stores()
    assert run_rung(world) == 1
    (job,) = jobs_of(world)
    before, after = job.report["before"], job.report["after"]
    assert (job.state, job.attempts, job.last_error) == (State.DONE, 1, "")
    assert before["rows"] == after["rows"] == 6
    assert before["versions"] > after["versions"] == 1
    assert before["files"] > after["files"] > 0
    assert after["bytes"] > 0
    assert before["unindexed"]["terms_idx"] > 0
    assert after["unindexed"] == {"terms_idx": 0}
    assert 0 < job.report["seconds"] < 60


def test_table_that_was_not_written_gets_no_job(world: Any) -> None:
    world.add("The otter swims.")
    tasks.optimize_stores()
    run_rung(world)
    tasks.optimize_stores()
    assert len(jobs_of(world)) == 1
    world.add("The stoat hunts.", "stoat.md")
    tasks.optimize_stores()
    assert len(jobs_of(world)) == 2


def test_every_tenant_has_its_own_job_and_an_open_one_is_not_doubled(world: Any, other_world: Any) -> None:
    world.add("Words.")
    other_world.add("Words.")
    for _ in range(2):
        tasks.optimize_stores()
    tenants = (world.actor.tenant_id, other_world.actor.tenant_id)
    assert sorted(IndexJob.objects.values_list("tenant_id", flat=True)) == sorted(tenants)


def test_failure_is_told_in_words_and_tried_again(world: Any, failing: Callable[[Exception], None]) -> None:
    world.add("Words.")
    failing(StoreError("The index is made of cheese."))
    tasks.optimize_stores()
    for expected in (State.QUEUED, State.QUEUED, State.FAILED):
        IndexJob.objects.update(not_before=timezone.now())
        run_rung(world)
        world.sent[:] = world.sent[-1:]
        assert jobs_of(world)[0].state == expected
    (job,) = jobs_of(world)
    assert job.last_error == "The index is made of cheese. (attempt 3 of 3)"
    assert job.finished is not None


def test_unforeseen_failure_names_no_internals(world: Any, failing: Callable[[Exception], None]) -> None:
    world.add("Words.")
    failing(ZeroDivisionError("secret path"))
    tasks.optimize_stores()
    run_rung(world)
    assert jobs_of(world)[0].last_error.startswith(index_jobs.WORDS.unexpected)


def test_upkeep_waits_for_a_purge_of_the_same_index(world: Any, settings: Any) -> None:
    world.add("Words.")
    tasks.optimize_stores()
    lock = settings.DATA_DIR / "locks" / f"maintenance-{world.actor.tenant_id}"
    with file_lock(lock, seconds=0):
        run_rung(world)
    (job,) = jobs_of(world)
    assert (job.state, job.attempts, job.last_error) == (State.QUEUED, 0, upkeep.BUSY)
    assert job.not_before > timezone.now()


def test_killed_upkeep_is_sent_again_and_at_last_given_up(world: Any) -> None:
    world.add("Words.")
    tasks.optimize_stores()
    (job,) = jobs_of(world)
    held = {"state": State.RUNNING, "lease_until": timezone.now() - timedelta(seconds=1)}
    IndexJob.objects.update(attempts=3, **held)
    world.sent.clear()
    doorbells.sweep(now=timezone.now())
    assert run_rung(world) == 1
    job.refresh_from_db()
    assert (job.state, job.last_error) == (State.FAILED, index_jobs.WORDS.stopped)


def test_history_is_bounded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_jobs, "KEPT", 3)
    for i in range(5):
        world.add(f"Words {i}.", f"{i}.md")
        world.sent.clear()
        tasks.optimize_stores()
        run_rung(world)
    assert len(jobs_of(world)) == 3


def test_command_compacts_now_and_says_so(world: Any, failing: Callable[[Exception], None]) -> None:
    world.add("Words.")
    out = io.StringIO()
    call_command("upkeep", stdout=out)
    assert "1 passages" in out.getvalue()
    assert " -> " in out.getvalue()
    call_command("upkeep", stdout=out)
    assert "Nothing was written" in out.getvalue()
    world.add("More.", "more.md")
    failing(StoreError("The index is made of cheese."))
    with pytest.raises(CommandError, match="1 of 1"):
        call_command("upkeep", stdout=out)
    assert "made of cheese" in out.getvalue()
