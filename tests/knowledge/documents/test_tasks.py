"""The doorbells: what is sent, sent again, and what happens while the broker is away."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery, current_app
from django.conf import settings
from django.utils import timezone

from knowledge.documents import broker, owners, services, tasks
from knowledge.documents.models import Document, IngestionJob

pytestmark = pytest.mark.django_db(transaction=True)

State = IngestionJob.State
real_publish = tasks.publish  # before the fixture of this folder replaces it


def rung(world: Any) -> list[object]:
    """Return the jobs that were sent since the last call."""
    found = [arguments["job_id"] for name, arguments in world.sent if name in ("ingest_document", "delete_document")]
    world.sent.clear()
    return found


@pytest.fixture
def job(world: Any) -> IngestionJob:
    waiting: IngestionJob = world.job(world.upload("Words."))
    world.sent.clear()
    return waiting


def ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def test_job_that_was_just_sent_is_not_sent_again(world: Any, job: IngestionJob) -> None:
    tasks.sweep_jobs()
    assert rung(world) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"published": None},
        {"published": ago(61)},
        {"state": State.RUNNING, "lease_until": ago(1), "published": ago(5)},
    ],
    ids=["never sent", "sent long ago", "holder is gone"],
)
def test_due_job_that_nobody_works_on_is_sent_again(world: Any, job: IngestionJob, changes: dict[str, Any]) -> None:
    IngestionJob.objects.update(**changes)
    tasks.sweep_jobs()
    assert rung(world) == [str(job.pk)]
    job.refresh_from_db()
    assert job.published > ago(5)


def test_deletion_is_sent_again_whatever_waits_before_it(
    world: Any, job: IngestionJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "waiting", lambda queue: {"ingest": 900}[queue])
    IngestionJob.objects.update(published=ago(61))
    rows = [
        IngestionJob(kind="ingest", document_ref=uuid4(), tenant_id=job.tenant_id, not_before=ago(9), published=None)
        for _ in range(60)
    ]
    IngestionJob.objects.bulk_create(rows)
    deletion = IngestionJob.objects.create(
        kind="delete", document_ref=uuid4(), tenant_id=job.tenant_id, not_before=ago(9), published=None
    )
    tasks.sweep_jobs()
    assert rung(world) == [str(deletion.pk)]  # the files have messages enough: each brings the next of them


def test_files_wait_while_the_broker_holds_no_message(
    world: Any, job: IngestionJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "waiting", lambda queue: {"ingest": 0}[queue])
    tasks.sweep_jobs()
    assert rung(world) == [str(job.pk)]


@pytest.mark.parametrize(
    "changes",
    [
        {"published": None, "not_before": ago(-3600)},
        {"state": State.RUNNING, "lease_until": ago(-3600), "published": None},
        {"state": State.DONE, "published": None},
        {"state": State.FAILED, "published": None},
        {"state": State.CANCELLED, "published": None},
    ],
    ids=["waits", "is held", "done", "failed", "cancelled"],
)
def test_job_that_is_not_due_is_not_sent(world: Any, job: IngestionJob, changes: dict[str, Any]) -> None:
    IngestionJob.objects.update(**changes)
    tasks.sweep_jobs()
    assert rung(world) == []


def test_deletions_are_sent_to_their_own_task(world: Any) -> None:
    document = world.add("Words.")
    world.sent.clear()
    services.delete_document(document=document)
    assert world.sent == [("delete_document", {"job_id": str(world.job(document).pk)})]


def test_reading_files_has_a_queue_of_its_own() -> None:
    router = current_app.amqp.router
    assert router.route({}, tasks.ingest_document.name)["queue"].name == "ingest"
    others = (tasks.keep_up, tasks.reconcile_tenant, tasks.reconcile_all, tasks.optimize_stores)
    for task in (tasks.delete_document, tasks.sweep_jobs, tasks.purge_deleted, *others):
        queue = router.route({}, task.name).get("queue")
        assert (queue.name if queue else current_app.conf.task_default_queue) == "maintenance"


def test_nothing_is_sent_when_the_transaction_is_undone(world: Any) -> None:
    from django.db import transaction

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        world.upload("Words.")
        raise ZeroDivisionError
    assert world.sent == []
    assert not Document.objects.exists()


def test_tasks_run_the_jobs_they_name_and_take_later_arguments(world: Any) -> None:
    document = world.upload("Words.")
    tasks.ingest_document(job_id=str(world.job(document).pk), added_later=True)
    document.refresh_from_db()
    assert document.status == "ready"
    services.delete_document(document=document)
    tasks.delete_document(job_id=str(world.job(document).pk), added_later=True)
    assert not Document.objects.exists()


def test_worker_that_starts_rings_for_what_it_freed(world: Any, job: IngestionJob) -> None:
    tasks._take_over(sender=None)
    assert world.sent == []
    IngestionJob.objects.update(
        state=State.RUNNING, owner=owners.owner().rpartition("#")[0] + "#1", lease_until=ago(-50)
    )
    tasks._take_over(sender=None)
    assert world.sent == [("sweep_jobs", {})]
    tasks.sweep_jobs()
    assert str(job.pk) in rung(world)


def test_sweep_removes_what_the_parser_of_a_killed_process_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    for owner in (ended.pid, os.getpid()):
        (tmp_path / f"footnote-parser-{owner}-x").mkdir()
    tasks.sweep_jobs()
    assert [path.name for path in tmp_path.iterdir()] == [f"footnote-parser-{os.getpid()}-x"]


def test_upload_is_stored_while_the_broker_is_away(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "publish", lambda *_, **__: False)  # as the next test shows it
    document = world.upload("Words.")
    job = world.job(document)
    assert (job.state, job.published) == (State.QUEUED, None)  # so that the next sweep sends it, not one a minute later
    assert world.work() == 1


def test_publish_says_at_once_that_nothing_was_sent(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    lonely = Celery("lonely", broker=f"redis+socket://{tmp_path}/no.sock?virtual_host=0", set_as_current=False)
    lonely.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS

    @lonely.task(name="nobody.listens")
    def task() -> None: ...

    began = time.monotonic()
    assert real_publish(task) is False
    assert time.monotonic() - began < 3
    assert "was not sent" in caplog.text


def test_publish_does_not_wait_for_a_broker_that_hangs(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))
        deaf.listen()
        waiting = Celery("w", broker=f"redis+socket://{tmp_path}/deaf.sock?virtual_host=0", set_as_current=False)
        waiting.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS

        @waiting.task(name="nobody.answers")
        def task() -> None: ...

        began = time.monotonic()
        assert real_publish(task) is False
        assert time.monotonic() - began < 3
