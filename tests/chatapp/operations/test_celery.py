"""The settings of Celery that keep jobs from being lost, doubled or waited for without end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from chatapp.celery import app


@pytest.fixture(scope="module")
def conf() -> Any:
    return app.conf


def test_visibility_is_the_same_in_all_three_places(conf: Any) -> None:
    places = (
        conf.broker_transport_options["visibility_timeout"],
        conf.result_backend_transport_options["visibility_timeout"],
        conf.visibility_timeout,
    )
    assert set(places) == {900}


def test_messages_of_a_killed_worker_come_back_within_seconds(conf: Any) -> None:
    assert conf.broker_transport_options["unacked_restore_interval"] == 5
    assert conf.broker_transport_options["unacked_restore_throttle"] == 1
    assert conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 1
    assert not conf.task_reject_on_worker_lost  # a poison document would come back for ever


def test_tasks_end_before_their_messages_come_again(conf: Any) -> None:
    assert conf.task_soft_time_limit < conf.task_time_limit < conf.visibility_timeout
    own = conf.task_annotations["knowledge.documents.tasks.ingest_document"]
    assert own["soft_time_limit"] < own["time_limit"]


def test_processes_are_replaced_and_given_time_to_end(conf: Any) -> None:
    assert conf.worker_max_tasks_per_child > 0
    assert conf.worker_max_memory_per_child > 0
    assert conf.worker_soft_shutdown_timeout > 0


def test_a_broker_that_is_away_is_waited_for_by_workers_and_not_by_requests(conf: Any) -> None:
    assert conf.broker_connection_max_retries is None
    assert conf.broker_connection_retry_on_startup
    assert conf.broker_pool_acquire_timeout == 2
    assert conf.task_publish_retry is False
    assert conf.broker_transport_options["max_retries"] == 1
    assert conf.broker_transport_options["socket_connect_timeout"] == 5


def test_only_json_is_read(conf: Any) -> None:
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"


def test_every_queue_has_a_canary_each_minute(conf: Any) -> None:
    canaries = [entry for entry in conf.beat_schedule.values() if entry["task"] == "chatapp.operations.tasks.canary"]
    assert [entry["options"] for entry in canaries] == [{"queue": q, "expires": 60} for q in settings.WORKER_QUEUES]
    assert [entry["kwargs"] for entry in canaries] == [{"queue": q} for q in settings.WORKER_QUEUES]
    assert {entry["schedule"] for entry in canaries} == {timedelta(seconds=60)}


def test_every_task_goes_to_a_queue_that_workers_take_from(conf: Any) -> None:
    import chatapp.operations.tasks
    import knowledge.documents.tasks

    assert chatapp.operations.tasks.canary.name in app.tasks
    assert knowledge.documents.tasks.sweep_jobs.name in app.tasks
    own = [name for name in app.tasks if name.startswith(("chatapp.", "knowledge."))]
    named = {app.amqp.router.route({}, name).get("queue") for name in own}
    queues = {getattr(queue, "name", queue) or conf.task_default_queue for queue in named}
    assert queues <= set(settings.WORKER_QUEUES)
