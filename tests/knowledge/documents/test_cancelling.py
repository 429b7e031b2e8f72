"""Retry, cancel and delete from every state: a document always has a way out, and ends in a state that is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import cancelling, ingest, jobs, order, services, tasks
from knowledge.documents.deletions import deletion
from knowledge.documents.indexes import indexing
from knowledge.documents.models import Document, DocumentVersion, IngestionJob
from knowledge.errors import DocumentNotFound, ParserCrashed, RetryUseless, StoreUnavailable

pytestmark = pytest.mark.django_db(transaction=True)

State, Status = IngestionJob.State, Document.Status


# --- every state, made by the product itself ---------------------------------------------------------


def queued(world: Any, _: pytest.MonkeyPatch) -> Document:
    made: Document = world.upload("The first heron.")
    return made


def running(world: Any, _: pytest.MonkeyPatch) -> Document:
    document: Document = world.upload("The first heron.")
    job = jobs.claim(world.job(document).pk)
    assert job is not None
    assert job.version is not None
    job.version.document = document
    ingest.show(job, job.version, Status.EMBEDDING, 0.5)
    return document


def waiting_for_another_attempt(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(indexing.stages, "write", away)
        document: Document = world.add("The first heron.")
    return document


def lost(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    document = running(world, monkeypatch)
    IngestionJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    return document


def ready(world: Any, _: pytest.MonkeyPatch) -> Document:
    made: Document = world.add("The first heron.")
    return made


def failed(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    document = waiting_for_another_attempt(world, monkeypatch)
    IngestionJob.objects.update(state=State.RUNNING, attempts=3, lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep_jobs()
    return document


def failed_for_good(world: Any, _: pytest.MonkeyPatch) -> Document:
    made: Document = world.add(b"%PDF-1.7\nbroken", "a.pdf")
    return made


def cancelled(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    document = queued(world, monkeypatch)
    cancelling.cancel_document(document=document, actor=world.actor)
    return document


def second_version_queued(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    ready(world, monkeypatch)
    made: Document = world.upload("The second heron.")
    return made


def second_version_running(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    ready(world, monkeypatch)
    made: Document = world.upload("The second heron.")
    assert jobs.claim(world.job(made).pk) is not None
    return made


def processed_again(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    return services.process_again(document=ready(world, monkeypatch))


def deleting(world: Any, monkeypatch: pytest.MonkeyPatch) -> Document:
    document = ready(world, monkeypatch)
    services.delete_document(document=document)
    return document


STATES = [
    queued, running, waiting_for_another_attempt, lost, ready, failed, failed_for_good, cancelled,
    second_version_queued, second_version_running, processed_again, deleting,
]  # fmt: skip


def retry(world: Any, document: Document) -> None:
    services.retry_document(document=document)


def cancel(world: Any, document: Document) -> None:
    cancelling.cancel_document(document=document, actor=world.actor)


def delete(world: Any, document: Document) -> None:
    services.delete_document(document=document)


def settle(world: Any) -> None:
    """Let workers do all there is to do, those that were lost included."""
    IngestionJob.objects.filter(state=State.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep_jobs()
    IngestionJob.objects.filter(state=State.QUEUED).update(not_before=timezone.now())
    while (job := order.claim_next()) is not None:
        ingest.run_claimed(job)
    for waiting in IngestionJob.objects.unfinished().filter(kind="delete"):
        deletion.run_delete(job_id=waiting.pk)


def check_all_is_told(world: Any) -> None:
    """Nothing is open, every document says how it ended, and database and index hold the same live passages."""
    assert not IngestionJob.objects.unfinished().exists()
    for row in Document.objects.all():
        assert row.status in (Status.READY, Status.FAILED)
        assert bool(row.error) == (row.status == Status.FAILED)
        assert row.versions.filter(state="live").count() <= 1
        assert (row.status == Status.READY) <= (row.current_version is not None)
        assert not row.versions.filter(state="pending").exists()
    live = {str(c.pk) for v in DocumentVersion.objects.filter(state="live") for c in v.chunks.all()}
    assert live <= world.keys()
    world.base.refresh_from_db()
    if world.base.live_generation_id is not None:
        assert world.stated() == world.counted()


@pytest.mark.parametrize("action", [retry, cancel, delete], ids=lambda a: a.__name__)
@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
def test_every_action_works_from_every_state(
    world: Any, monkeypatch: pytest.MonkeyPatch, state: Callable[..., Document], action: Callable[..., None]
) -> None:
    document = state(world, monkeypatch)
    had_live = Document.objects.filter(pk=document.pk, current_version__isnull=False).exists()
    if (state, action) == (failed_for_good, retry):
        with pytest.raises(RetryUseless):
            action(world, document)
    elif (state, action) == (deleting, cancel):
        with pytest.raises(DocumentNotFound):
            action(world, document)
    else:
        action(world, document)
    if action is cancel and state is not deleting:
        assert not IngestionJob.objects.unfinished().exists()  # at once, not when a worker comes by
        row = Document.objects.get(pk=document.pk)
        assert row.status == (Status.READY if had_live else Status.FAILED)
    settle(world)
    check_all_is_told(world)
    if action is delete or state is deleting:
        assert not Document.objects.exists()
        assert world.keys() == set()
    elif action is retry and state is not failed_for_good:
        assert Document.objects.get().status == Status.READY
    elif had_live:
        assert world.titles("heron") == {"notes.md"}


# --- cancelling ---------------------------------------------------------------------------------------


def test_first_version_says_who_cancelled_and_a_retry_reads_it(world: Any, owner: Any) -> None:
    from knowledge.tenants.access import actor_for

    actor = actor_for(user_id=owner.pk)
    assert actor is not None
    document = world.upload("The otter sleeps.")
    found = cancelling.cancel_document(document=document, actor=actor)
    assert (found.status, found.error) == (Status.FAILED, "Cancelled by owner@acme.test.")
    assert found.retry_helps
    assert world.job(document).last_error == found.error
    services.retry_document(document=document)
    settle(world)
    assert world.titles("otter") == {"notes.md"}


def test_live_version_answers_on_and_what_was_written_of_the_other_goes(
    world: Any, after_batch: Callable[..., None], sections: Callable[..., str]
) -> None:
    document = world.add("The otter sleeps.")
    world.upload(sections("heron", 70))
    after_batch(lambda: cancelling.cancel_document(document=document, actor=world.actor))
    world.work()
    document.refresh_from_db()
    assert (document.status, document.error, document.current_version.number) == (Status.READY, "", 1)
    assert world.keys() == world.rows()
    assert len(world.keys()) == 1
    assert document.versions.get(number=2).state == "failed"
    services.retry_document(document=document)
    settle(world)
    assert len(world.keys()) == 70


def test_a_retry_waits_until_the_holder_has_left(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = running(world, monkeypatch)
    cancel(world, document)
    retry(world, document)
    job = world.job(document)
    assert job.published is None
    assert timedelta(seconds=3) < job.not_before - timezone.now() <= cancelling.HOLDER_LEAVES
    assert order.claim_next() is None


@pytest.mark.parametrize("action", [cancel, delete], ids=lambda a: a.__name__)
def test_parser_is_killed_at_once_when_nobody_wants_its_result(
    world: Any, monkeypatch: pytest.MonkeyPatch, action: Callable[..., None]
) -> None:
    killed = threading.Event()

    class Slow:
        def parse(self, *_: Any, **__: Any) -> None:
            assert killed.wait(20)
            raise ParserCrashed

        def kill(self) -> None:
            killed.set()

    monkeypatch.setattr(wiring, "parser", Slow)
    document = world.upload("Words.")
    job = jobs.claim(world.job(document).pk)
    assert job is not None
    action(world, document)
    began = time.monotonic()
    ingest.run_claimed(job)
    assert time.monotonic() - began < 5
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.CANCELLED, 1)


# --- stage, stand-still, third attempt ------------------------------------------------------------------


def test_stage_and_progress_are_on_the_job(
    world: Any, after_parse: Callable[..., None], after_batch: Callable[..., None], sections: Callable[..., str]
) -> None:
    seen: list[tuple[str, float]] = []

    def look() -> None:
        job = IngestionJob.objects.get()
        seen.append((job.stage, job.progress))

    after_parse(look)
    after_batch(look)
    world.add(sections("heron", 70))
    look()
    assert seen == [("reading", 0.0), ("indexing", 0.0), ("indexing", 1.0)]


@pytest.mark.parametrize(("stage", "words"), [
    ("reading", "The worker ended while reading this file"),
    ("indexing", "The worker ended while indexing this file"),
    (jobs.STALLED, "Work on this file stood still and was stopped"),
])  # fmt: skip
def test_a_file_that_ends_its_worker_three_times_fails_in_words(world: Any, stage: str, words: str) -> None:
    document = world.upload("Words that kill.")
    for attempt in (1, 2, 3):
        job = order.claim_next()
        assert job is not None
        assert job.attempts == attempt
        jobs.show(job, stage=stage, progress=0.5)
        IngestionJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        tasks.sweep_jobs()
        assert world.job(document).last_error.startswith(f"{words} (attempt {attempt} of 3)")
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert document.error == f"{words} (attempt 3 of 3). {jobs.ADVICE}"
    assert order.claim_next() is None


def test_a_holder_that_comes_back_in_time_keeps_its_job(world: Any) -> None:
    from knowledge.documents import lost as lost_jobs

    world.upload("Words.")
    job = order.claim_next()
    assert job is not None
    assert lost_jobs.give_back(now=timezone.now()) == 0
    assert not jobs.take_lost(job, now=timezone.now())
    assert jobs.renew(job)


def test_work_that_stands_still_loses_its_lease(world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.JOB_STALL_SECONDS, settings.LEASE_SECONDS = 0.5, 0.4
    hanging = threading.Event()

    class Hanging:
        def parse(self, *_: Any, **__: Any) -> None:
            hanging.wait(20)
            raise ParserCrashed

        def kill(self) -> None:
            hanging.set()

    monkeypatch.setattr(wiring, "parser", Hanging)
    document = world.upload("Words.")
    world.work()
    time.sleep(0.1)
    tasks.sweep_jobs()
    job = world.job(document)
    assert (job.state, job.attempts) == (State.QUEUED, 1)
    assert job.last_error == "Work on this file stood still and was stopped (attempt 1 of 3)"
