"""Whose turn it is: tenants in turn, small files first, and nobody waits for ever; also with very many waiting."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge.documents import jobs, order, tasks
from knowledge.documents.models import Document, IngestionJob

pytestmark = pytest.mark.django_db(transaction=True)

State = IngestionJob.State
KB, MB = 1024, 1024 * 1024


@pytest.fixture
def queue() -> Callable[..., IngestionJob]:
    """Call with a world, a size and how many seconds ago it came: makes a waiting job."""

    def make(world: Any, size: int = KB, *, ago: float = 0, **more: Any) -> IngestionJob:
        came = timezone.now() - timedelta(seconds=ago)
        return IngestionJob.objects.create(
            kind="ingest", document_ref=uuid.uuid4(), tenant_id=world.actor.tenant_id, size=size, not_before=came,
            published=came, turn=order.turn_of(size=size, now=came), **more,
        )  # fmt: skip

    return make


def finish(job: IngestionJob, *, at: datetime | None = None) -> None:
    IngestionJob.objects.filter(pk=job.pk).update(state=State.DONE, finished=at or timezone.now())


def claimed() -> IngestionJob:
    job = order.claim_next()
    assert job is not None
    return job


def test_nothing_is_claimed_when_nothing_is_due(world: Any, queue: Callable[..., IngestionJob]) -> None:
    queue(world, ago=-60)
    for state in (State.RUNNING, State.DONE, State.FAILED, State.CANCELLED):
        queue(world, state=state, lease_until=timezone.now() - timedelta(seconds=5))
    assert order.claim_next() is None


def test_small_files_pass_a_large_one_that_came_shortly_before(world: Any, queue: Callable[..., IngestionJob]) -> None:
    large = queue(world, 40 * MB, ago=60)
    middle, small = queue(world, 2 * MB), queue(world, 10 * KB)
    assert [claimed().pk for _ in range(3)] == [small.pk, middle.pk, large.pk]


def test_a_large_file_is_not_passed_for_ever(world: Any, queue: Callable[..., IngestionJob]) -> None:
    large = queue(world, 40 * MB, ago=40 * MB / order.PATIENCE + 5)
    for _ in range(20):
        queue(world, 10 * KB)
    assert claimed().pk == large.pk


def test_a_tenant_that_comes_late_with_one_file_is_served_next(
    world: Any, other_world: Any, queue: Callable[..., IngestionJob]
) -> None:
    for number in range(200):
        queue(world, 20 * KB, ago=300 - number)
    for _ in range(5):
        finish(claimed())
    one = queue(other_world, 20 * KB)
    assert claimed().pk == one.pk


def test_one_file_beside_two_hundred_of_another_tenant_is_ready_among_the_first(world: Any, other_world: Any) -> None:
    for number in range(200):
        world.upload(f"The heron number {number}.", f"{number}.md")
    one = other_world.upload("The otter sleeps.", "one.md")
    for message in range(3):
        tasks.ingest_document(job_id=str(world.sent[message][1]["job_id"]))  # those of the first came first
    assert Document.objects.get(pk=one.pk).status == "ready"
    assert Document.objects.filter(status="ready").count() == 3


def test_two_tenants_share_the_work_and_not_the_number_of_files(
    world: Any, other_world: Any, queue: Callable[..., IngestionJob]
) -> None:
    """Simulated: one sends files of 1 MB, the other of 10 kB, and one process works on them one after the other."""
    for _ in range(40):
        queue(world, MB, ago=30)
    for _ in range(400):
        queue(other_world, 10 * KB, ago=30)
    done: dict[uuid.UUID, list[int]] = {world.actor.tenant_id: [], other_world.actor.tenant_id: []}
    for _ in range(100):
        job = claimed()
        done[job.tenant_id].append(job.size + order.OVERHEAD)
        finish(job)
    big, small = (sum(sizes) for sizes in done.values())
    assert 0.8 < big / small < 1.25
    assert all(done.values())


def test_a_tenant_whose_long_job_runs_waits_for_those_without_one(
    world: Any, other_world: Any, queue: Callable[..., IngestionJob]
) -> None:
    queue(world, ago=9)
    assert claimed().tenant_id == world.actor.tenant_id  # and still runs
    for _ in range(5):
        queue(world, ago=9)
        queue(other_world, MB)
    for _ in range(5):
        job = claimed()
        assert job.tenant_id == other_world.actor.tenant_id
        finish(job)


def test_a_message_takes_one_job_and_not_the_one_it_names(world: Any) -> None:
    large = world.upload("word " * 300_000, "large.md")
    small = world.upload("Words.", "small.md")
    tasks.ingest_document(job_id=str(world.job(large).pk))
    states = {d.pk: d.status for d in Document.objects.all()}
    assert states == {large.pk: "queued", small.pk: "ready"}


def test_lost_leases_are_left_to_the_sweep(world: Any, queue: Callable[..., IngestionJob]) -> None:
    job = queue(world)
    assert claimed().pk == job.pk
    IngestionJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert order.claim_next() is None
    assert jobs.claim(job.pk) is not None


@pytest.fixture
def ten_thousand(world: Any, other_world: Any) -> None:
    now = timezone.now()
    tenants = (world.actor.tenant_id, other_world.actor.tenant_id)
    IngestionJob.objects.bulk_create(
        [
            IngestionJob(
                kind="ingest", document_ref=uuid.uuid4(), tenant_id=tenants[number % 10 == 0], size=number * 100,
                not_before=now, turn=order.turn_of(size=number * 100, now=now),
            )
            for number in range(10_000)
        ],
        batch_size=1000,
    )  # fmt: skip


def test_ten_thousand_waiting_files_cost_a_claim_little(ten_thousand: None) -> None:
    took = []
    for _ in range(20):
        began = time.perf_counter()
        finish(claimed())
        took.append(time.perf_counter() - began)
    median = sorted(took)[len(took) // 2]
    print(f"a claim among 10,000: {median * 1000:.1f} ms, at most {max(took) * 1000:.1f} ms")
    assert median < 0.1, took
