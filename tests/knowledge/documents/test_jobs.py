"""Leases: one holder at a time, a higher fence for the next, and nothing left for the one before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from knowledge.documents import ingest, jobs, owners, services
from knowledge.documents.models import Document, IngestionJob
from knowledge.errors import StoreBusy

pytestmark = pytest.mark.django_db(transaction=True)

State = IngestionJob.State


@pytest.fixture
def job(world: Any) -> IngestionJob:
    waiting: IngestionJob = world.job(world.upload("Words."))
    return waiting


def expire(job: IngestionJob) -> None:
    IngestionJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def held(job: IngestionJob) -> IngestionJob:
    """Claim a job that must be free."""
    taken = jobs.claim(job.pk)
    assert taken is not None
    return taken


def test_claim_takes_the_job_once(job: IngestionJob) -> None:
    taken = held(job)
    assert (taken.state, taken.attempts, taken.fence, taken.owner) == (State.RUNNING, 1, 1, owners.owner())
    assert taken.lease_until is not None
    assert 55 < (taken.lease_until - timezone.now()).total_seconds() <= 60
    assert jobs.claim(job.pk) is None


def test_job_is_not_claimed_before_its_time_or_after_its_end(job: IngestionJob) -> None:
    IngestionJob.objects.update(not_before=timezone.now() + timedelta(seconds=30))
    assert jobs.claim(job.pk) is None
    for state in (State.DONE, State.FAILED, State.CANCELLED):
        IngestionJob.objects.update(not_before=timezone.now(), state=state)
        assert jobs.claim(job.pk) is None


def test_expired_lease_is_taken_over_and_its_old_holder_is_refused_everything(job: IngestionJob) -> None:
    old = held(job)
    expire(job)
    new = held(job)
    assert (new.fence, new.attempts) == (old.fence + 1, 2)
    assert not jobs.renew(old)
    with pytest.raises(jobs.LeaseLost), transaction.atomic():
        jobs.hold(old)
    with pytest.raises(jobs.LeaseLost):
        jobs.fail(old, message="too late", permanent=True)
    jobs.finish(old, report={"chunks": 7})
    job.refresh_from_db()
    assert (job.state, job.report, job.last_error) == (State.RUNNING, {}, "")
    with transaction.atomic():
        jobs.hold(new)
    jobs.finish(new, report={"chunks": 1})
    job.refresh_from_db()
    assert (job.state, job.report, job.lease_until) == (State.DONE, {"chunks": 1}, None)


def test_cancelled_job_cannot_be_finished(job: IngestionJob) -> None:
    taken = held(job)
    IngestionJob.objects.update(state=State.CANCELLED)
    jobs.finish(taken)
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_heartbeat_renews_the_lease(job: IngestionJob, settings: Any) -> None:
    settings.LEASE_SECONDS = 1
    taken = held(job)
    with jobs.Heartbeat(taken) as heartbeat:
        time.sleep(1.3)
        assert jobs.claim(job.pk) is None
        heartbeat.check()


def test_heartbeat_tells_of_a_lost_lease(job: IngestionJob, settings: Any) -> None:
    settings.LEASE_SECONDS = 0.2
    taken = held(job)
    with jobs.Heartbeat(taken) as heartbeat:
        IngestionJob.objects.filter(pk=job.pk).update(fence=9)
        time.sleep(0.4)
        with pytest.raises(jobs.LeaseLost):
            heartbeat.check()


def test_heartbeat_outlives_a_database_that_is_away_for_a_moment(
    job: IngestionJob, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEASE_SECONDS = 0.2
    asked: list[int] = []

    def renew(_: IngestionJob) -> bool:
        asked.append(1)
        if len(asked) == 1:
            raise OSError("away")
        return True

    monkeypatch.setattr(jobs, "renew", renew)
    with jobs.Heartbeat(held(job)) as heartbeat:
        time.sleep(0.5)
        heartbeat.check()
    assert len(asked) > 1


HOLD = """
import sys, uuid
import django
django.setup()
from knowledge.documents import jobs
assert jobs.claim(uuid.UUID(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_worker(job: IngestionJob) -> Iterator[subprocess.Popen[str]]:
    """Another process over the same database that has claimed the job and works on."""
    database = connection.settings_dict["NAME"]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(job.pk)], env={**os.environ, "DATABASE_URL": f"sqlite:///{database}"},
        cwd=Path(__file__).resolve().parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_worker_that_starts_beside_another_leaves_it_its_jobs(
    job: IngestionJob, other_worker: subprocess.Popen[str]
) -> None:
    assert jobs.release_leases_of_dead_workers() == 0
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.RUNNING, 1)
    assert job.owner == owners.owner_of(other_worker.pid)
    assert jobs.claim(job.pk) is None


@pytest.mark.parametrize("reaped", [True, False])
def test_worker_that_starts_frees_what_its_killed_predecessor_held(
    job: IngestionJob, other_worker: subprocess.Popen[str], reaped: bool
) -> None:
    other_worker.kill()
    os.waitid(os.P_PID, other_worker.pid, os.WEXITED | (0 if reaped else os.WNOWAIT))
    assert jobs.release_leases_of_dead_workers() == 1
    assert held(job).fence == 2


def test_own_leases_are_kept(job: IngestionJob) -> None:
    held(job)
    assert jobs.release_leases_of_dead_workers() == 0


@pytest.mark.parametrize("name", ["elsewhere#1#1", "an-older-release#0123456789ab", "", f"{owners.KERNEL}#1#"])
def test_leases_of_holders_that_cannot_be_looked_up_wait_for_their_end(job: IngestionJob, name: str) -> None:
    held(job)
    IngestionJob.objects.update(owner=name)
    assert jobs.release_leases_of_dead_workers() == 0
    assert jobs.claim(job.pk) is None


# --- what the worker does when it is not alone ----------------------------------------------------


def take_over(world: Any, document: Document) -> Callable[[], None]:
    """Another worker takes the job of a holder whose lease ran out, and does all of it."""

    def run() -> None:
        expire(world.job(document))
        ingest.run_ingest(job_id=world.job(document).pk)

    return run


@pytest.mark.parametrize("moment", ["after_parse", "after_batch"])
def test_holder_that_wakes_after_its_successor_changes_nothing(
    world: Any, moment: str, request: pytest.FixtureRequest, sections: Callable[..., str]
) -> None:
    document = world.upload(sections("heron", 70))
    request.getfixturevalue(moment)(take_over(world, document))
    world.work()
    document.refresh_from_db()
    job = world.job(document)
    assert (document.status, document.stage_progress) == ("ready", 1.0)
    assert (job.state, job.fence, job.attempts) == (State.DONE, 2, 2)
    assert len(world.keys()) == 70
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()


def test_holder_that_fails_after_its_successor_finished_cannot_say_so(
    world: Any, after_parse: Callable[..., None]
) -> None:
    document = world.upload("The heron stands still.")

    def act() -> None:
        take_over(world, document)()
        raise StoreBusy

    after_parse(act)
    world.work()
    document.refresh_from_db()
    assert (document.status, document.error) == ("ready", "")
    assert world.job(document).state == State.DONE


@pytest.mark.parametrize("moment", ["after_parse", "after_batch"])
def test_newer_version_wins_over_the_older_that_is_still_processed(
    world: Any, moment: str, request: pytest.FixtureRequest, sections: Callable[..., str]
) -> None:
    document = world.upload(sections("badger", 70))
    older = world.job(document)

    def newer() -> None:
        world.upload("The otter sleeps at noon.")
        ingest.run_ingest(job_id=world.job(document).pk)

    request.getfixturevalue(moment)(newer)
    ingest.run_ingest(job_id=older.pk)
    document.refresh_from_db()
    assert (document.status, document.current_version.number) == ("ready", 2)
    assert len(world.keys()) == 1
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()
    older.refresh_from_db()
    assert (older.state, older.report) == (State.DONE, {"superseded_by": 2})
    assert document.versions.get(number=1).state == "archived"


def test_version_that_is_already_superseded_is_not_processed(world: Any) -> None:
    document = world.upload("The first wording.")
    older = world.job(document)
    world.upload("The second wording.")
    assert world.work() == 2
    older.refresh_from_db()
    assert older.report == {"superseded_by": 2}
    assert document.versions.get(number=1).text_sha256 == ""


def test_repeated_message_of_a_finished_job_does_nothing(world: Any) -> None:
    document = world.add("Words.")
    before = Document.objects.get(pk=document.pk).updated
    ingest.run_ingest(job_id=world.job(document).pk)
    assert Document.objects.get(pk=document.pk).updated == before
    services.delete_document(document=document)
    ingest.run_ingest(job_id=document.jobs.get(kind="ingest").pk)
    assert document.jobs.get(kind="ingest").state == State.DONE
