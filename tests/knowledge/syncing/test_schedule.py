from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge.errors import SourceMisconfigured
from knowledge.syncing import schedule, services
from knowledge.syncing.models import DAY, Source, SyncRun

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PLAIN = uuid.UUID(int=0)  # a source without jitter


def following(interval: int, at_hour: int | None = None, *, after: datetime = NOON, source: uuid.UUID = PLAIN) -> Any:
    return schedule.next_run(source=source, interval=interval, at_hour=at_hour, after=after)


def test_a_source_without_an_interval_never_runs_by_itself() -> None:
    assert following(0) is None


def test_an_interval_counts_from_the_run_before() -> None:
    assert following(30) == NOON + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("interval", "hour", "expected"),
    [
        (DAY, 15, datetime(2026, 3, 10, 15, tzinfo=UTC)),
        (DAY, 12, datetime(2026, 3, 11, 12, tzinfo=UTC)),
        (DAY, 3, datetime(2026, 3, 11, 3, tzinfo=UTC)),
        (7 * DAY, 3, datetime(2026, 3, 17, 3, tzinfo=UTC)),
        (7 * DAY, 13, datetime(2026, 3, 10, 13, tzinfo=UTC)),
    ],
)
def test_an_hour_is_kept(interval: int, hour: int, expected: datetime) -> None:
    assert following(interval, hour) == expected


def test_the_hour_is_that_of_the_pages(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        assert following(DAY, 3) == datetime(2026, 3, 11, 2, tzinfo=UTC)


def test_sources_of_one_hour_begin_apart_and_each_at_its_own_moment() -> None:
    moments = {following(DAY, 3, source=uuid.UUID(int=n)) for n in range(1000)}
    assert len(moments) == 300
    assert max(moments) - min(moments) < timedelta(minutes=5)
    assert {following(DAY, 3, source=uuid.UUID(int=7)) for _ in range(5)} == {
        datetime(2026, 3, 11, 3, 0, 7, tzinfo=UTC)
    }
    short = {following(5, source=uuid.UUID(int=n)) for n in range(1000)}
    assert max(short) < NOON + timedelta(minutes=5, seconds=30)


@pytest.mark.parametrize(("interval", "hour"), [(4, None), (91 * DAY, None), (60, 3), (0, 3), (DAY, 24), (DAY, -1)])
def test_schedules_that_cannot_be_kept_are_refused(interval: int, hour: int | None) -> None:
    with pytest.raises(SourceMisconfigured):
        schedule.check(interval=interval, at_hour=hour)


@pytest.mark.parametrize(
    ("interval", "hour", "words"),
    [
        (0, None, "by hand only"), (15, None, "every 15 minutes"), (60, None, "every hour"),
        (90, None, "every 90 minutes"), (120, None, "every 2 hours"), (DAY, 3, "every day at 3:00"),
        (2 * DAY, None, "every 2 days"),
    ],
)  # fmt: skip
def test_a_schedule_is_said_in_words(interval: int, hour: int | None, words: str) -> None:
    assert schedule.in_words(interval=interval, at_hour=hour) == words


# --- what is due


@pytest.fixture
def due(source: Source) -> Source:
    services.update_source(source=source, changes={"interval": 60})
    Source.objects.filter(pk=source.pk).update(next_run=timezone.now() - timedelta(minutes=1))
    return Source.objects.get(pk=source.pk)


@pytest.mark.django_db(transaction=True)
def test_a_due_source_runs_once_and_is_planned_anew(due: Source, sent: list[Any]) -> None:
    assert (services.start_due(), services.start_due()) == (1, 0)
    run = SyncRun.objects.get()
    assert (run.kind, run.scheduled, run.requested_by, run.allow_withdrawals) == ("full", True, None, False)
    assert sent == [("run_sync", {"job_id": str(run.pk)})]
    due.refresh_from_db()
    assert due.next_run is not None
    assert due.next_run > timezone.now() + timedelta(minutes=59)


@pytest.mark.django_db(transaction=True)
def test_a_source_whose_run_is_open_waits_for_the_next_time(due: Source, actor: Any) -> None:
    services.start_run(source=due, actor=actor)
    assert services.start_due() == 0
    due.refresh_from_db()
    assert due.next_run is not None
    assert due.next_run > timezone.now()
    assert SyncRun.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_paused_or_closed_does_not_run(due: Source, tenant: Any, base: Any) -> None:
    moment = {"next_run": due.next_run}
    for model, pk, change, back in (
        (Source, due.pk, {"enabled": False}, {"enabled": True}),
        (type(base), base.pk, {"deleting": True}, {"deleting": False}),
        (type(tenant), tenant.pk, {"active": False}, {"active": True}),
    ):
        rows = model._default_manager.filter(pk=pk)
        rows.update(**change)
        assert services.start_due() == 0, change
        rows.update(**back)
    Source.objects.filter(pk=due.pk).update(**moment)
    assert services.start_due() == 1


@pytest.mark.django_db(transaction=True)
def test_a_source_that_is_being_deleted_is_only_removed(due: Source) -> None:
    Source.objects.filter(pk=due.pk).update(deleting=True)
    assert services.start_due() == 1
    assert SyncRun.objects.get().kind == SyncRun.Kind.REMOVE


@pytest.mark.django_db(transaction=True)
def test_the_sweeper_sends_a_run_whose_message_was_lost(source: Source, actor: Any, sent: list[Any]) -> None:
    from knowledge.documents import doorbells

    run = services.start_run(source=source, actor=actor)
    sent.clear()
    doorbells.sweep(now=timezone.now())
    assert sent == []
    doorbells.sweep(now=timezone.now() + timedelta(seconds=90))
    assert sent == [("run_sync", {"job_id": str(run.pk)})]


@pytest.mark.django_db(transaction=True)
def test_every_task_has_a_queue_that_is_listened_to(settings: Any) -> None:
    from chatapp.celery import app
    from knowledge.syncing import tasks

    for task in (tasks.run_sync, tasks.start_due_syncs):
        queue = app.amqp.router.route({}, task.name)["queue"].name
        assert queue in settings.WORKER_QUEUES, task.name
    assert settings.CELERY_BEAT_SCHEDULE["start-due-syncs"]["task"] == tasks.start_due_syncs.name
    assert settings.CELERY_TASK_ANNOTATIONS[tasks.run_sync.name]["time_limit"] > settings.CELERY_TASK_TIME_LIMIT
