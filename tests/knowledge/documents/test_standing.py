"""Where documents stand: the place in the line, and times that were measured or are not told."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge.documents import jobs, order, pace, services
from knowledge.documents.models import Document, IngestionJob
from knowledge.documents.pace import Pace, Rate
from knowledge.documents.standing import Standing, standing_of

pytestmark = pytest.mark.django_db(transaction=True)

State = IngestionJob.State


def ended(world: Any, size: int, *, reading: float, indexing: float) -> None:
    IngestionJob.objects.create(
        kind="ingest", document_ref=uuid.uuid4(), tenant_id=world.actor.tenant_id, size=size, state=State.DONE,
        not_before=timezone.now(), finished=timezone.now(),
        report={"chunks": 1, "seconds": {"reading": reading, "indexing": indexing}},
    )  # fmt: skip


def stands(document: Document) -> Standing:
    return standing_of([document])[document.pk]


def test_nothing_is_said_of_times_before_anything_was_measured(world: Any) -> None:
    document = world.upload("Words.")
    assert stands(document) == Standing(stage="waiting", queue_position=1)
    ended(world, 1000, reading=1, indexing=1)
    ended(world, 1000, reading=1, indexing=1)
    assert stands(document).eta_seconds is None


def test_the_pace_is_that_of_the_last_jobs(world: Any) -> None:
    for size in (0, 1_000_000, 2_000_000):
        ended(world, size, reading=1 + size / 1e6, indexing=2 + 3 * size / 1e6)
    found = pace.measured()
    assert found is not None
    assert found.seconds(0) == pytest.approx(3)
    assert found.seconds(1_000_000) == pytest.approx(7)
    assert found.left(1_000_000, stage="indexing", progress=0.5) == pytest.approx(2.5)
    for _ in range(pace.LAST):
        ended(world, 1_000_000, reading=9, indexing=1)
    assert pace.measured() == Pace(Rate(9.0, 0.0), Rate(1.0, 0.0))


def test_a_line_never_falls_nor_begins_below_zero() -> None:
    assert pace._rate([(1, 5.0), (2, 4.0), (3, 3.0)]) == Rate(4.0, 0.0)
    steep = pace._rate([(10, 0.0), (20, 1.0), (30, 2.0)])
    assert steep == Rate(0.0, 0.05)
    assert pace._rate([(10, 0.0), (20, 1.0)]) is None


def test_those_ahead_are_counted_tenant_by_tenant(world: Any, other_world: Any) -> None:
    for _ in range(4):
        ended(world, 10, reading=1, indexing=1)
    mine = [world.upload(f"Words {n}.", f"{n}.md") for n in range(5)]
    assert [stands(document).queue_position for document in mine] == [1, 2, 3, 4, 5]
    for number in range(2):
        other_world.upload(f"Words {number}.", f"{number}.md")
    assert [stands(document).queue_position for document in mine] == [1, 3, 5, 6, 7]
    assert stands(mine[4]).eta_seconds == round(6 * 2 / 2 + 2)  # six of two seconds on two processes, then its own


def test_a_job_at_work_says_how_far_it_is(world: Any) -> None:
    for _ in range(3):
        ended(world, 10, reading=4, indexing=6)
    document = world.upload("Words.")
    job = order.claim_next()
    assert job is not None
    jobs.show(job, stage="reading", progress=0.0)
    assert stands(document) == Standing(stage="reading", attempts=1, eta_seconds=10)
    jobs.show(job, stage="indexing", progress=0.5)
    assert stands(document) == Standing(stage="indexing", attempts=1, eta_seconds=3)
    jobs.fail(job, message="The index was away.", permanent=False)
    assert stands(document).last_error == "The index was away. (attempt 1 of 3)"


def test_what_is_over_has_no_time(world: Any) -> None:
    document = world.add("Words.")
    assert stands(document) == Standing(attempts=1)
    services.delete_document(document=document)
    assert stands(document) == Standing(stage="removing")
    assert standing_of([]) == {}


def test_a_page_costs_as_many_queries_as_one_document(world: Any, django_assert_max_num_queries: Any) -> None:
    documents = [world.upload("Words.", f"{n}.md") for n in range(20)]
    with django_assert_max_num_queries(5):
        found = standing_of(documents)
    assert len(found) == 20


def test_a_page_of_ten_thousand_that_wait_is_quick(world: Any) -> None:
    now, page = timezone.now(), []
    for number in range(50):
        page.append(world.upload(f"Words {number}.", f"{number}.md"))
    IngestionJob.objects.bulk_create(
        IngestionJob(
            kind="ingest", document_ref=uuid.uuid4(), tenant_id=world.actor.tenant_id, size=1, not_before=now,
            turn=now - timedelta(seconds=number),
        )
        for number in range(10_000)
    )  # fmt: skip
    began = timezone.now()
    found = standing_of(page)
    took = (timezone.now() - began).total_seconds()
    print(f"the standing of 50 of 10,050 documents: {took * 1000:.0f} ms")
    assert {s.queue_position for s in found.values()} == set(range(10_001, 10_051))
    assert took < 2
