"""The daily comparison: asked for once a day, its result kept, nothing repaired."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import tasks
from knowledge.documents.indexes import reconcile_jobs
from knowledge.documents.models import IndexGeneration, IndexJob

pytestmark = pytest.mark.django_db(transaction=True)


def run_rung(world: Any) -> int:
    rung = [str(arguments["job_id"]) for name, arguments in world.sent if name == "reconcile_tenant"]
    world.sent.clear()
    for job_id in rung:
        tasks.reconcile_tenant(job_id=job_id, added_later=True)
    return len(rung)


def test_what_agrees_is_told(world: Any) -> None:
    assert reconcile_jobs.last(tenant_id=world.actor.tenant_id) is None
    world.add("Words.")
    tasks.reconcile_all()
    assert run_rung(world) == 1
    job = reconcile_jobs.last(tenant_id=world.actor.tenant_id)
    assert job is not None
    counts = [job.report[name] for name in ("rows", "records", "missing", "orphans", "folders")]
    assert (job.report["agrees"], counts) == (True, [1, 1, 0, 0, 0])


def test_differences_are_told_and_not_repaired(world: Any) -> None:
    world.add("Words.", "lost.md", title="Lost words")
    wiring.store().delete(space=world.space, scope=world.scope)
    tasks.reconcile_all()
    run_rung(world)
    job = reconcile_jobs.last(tenant_id=world.actor.tenant_id)
    assert job is not None
    assert (job.state, job.report["agrees"], job.report["missing"]) == ("done", False, 1)
    assert any("Lost words" in place for place in job.report["places"])
    assert world.keys() == set()


def test_every_record_is_read_once_a_week(world: Any) -> None:
    world.add("Words.")
    IndexGeneration.objects.update(terms=99)
    told = []
    for days in (0, 1, 8):
        IndexJob.objects.update(created=timezone.now() - timedelta(days=days, hours=1))
        IndexJob.objects.filter(finished__isnull=False).update(finished=timezone.now() - timedelta(days=days))
        tasks.reconcile_all()
        run_rung(world)
        job = reconcile_jobs.last(tenant_id=world.actor.tenant_id)
        assert job is not None
        told.append((job.report["deep"], job.report["differences"]))
    assert told == [(True, {"statistics": 1}), (False, {}), (True, {"statistics": 1})]


def test_it_is_done_once_a_day_for_each_tenant(world: Any, other_world: Any) -> None:
    for _ in range(3):
        tasks.reconcile_all()
    assert IndexJob.objects.filter(kind="reconcile").count() == 2
    run_rung(world)
    IndexJob.objects.filter(tenant_id=world.actor.tenant_id).update(created=timezone.now() - timedelta(hours=25))
    tasks.reconcile_all()
    assert IndexJob.objects.filter(kind="reconcile", tenant_id=world.actor.tenant_id).count() == 2
    assert IndexJob.objects.filter(kind="reconcile", tenant_id=other_world.actor.tenant_id).count() == 1
