from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import ConnectionError as RedisConnectionError

from chatapp.operations import health, parts, queues
from chatapp.operations.parts import Part


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_seen", (0.0, []))


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(*found: Callable[[], Part]) -> None:
        monkeypatch.setattr(parts, "CHECKS", found)

    return install


def good() -> Part:
    return Part(name="good", ok=True, version="1.2")


def away() -> Part:
    raise ConnectionError("secret-host:6379 refused")


def test_alive_whatever_the_parts_say(rf: RequestFactory, checks: Callable[..., None]) -> None:
    checks(away)
    assert health.healthz(rf.get("/healthz")).status_code == 200


def test_ready_when_every_part_works(rf: RequestFactory, checks: Callable[..., None]) -> None:
    checks(good)
    assert health.readyz(rf.get("/readyz")).status_code == 200


def test_not_ready_names_the_part_in_words_without_leaking_addresses(
    rf: RequestFactory, checks: Callable[..., None]
) -> None:
    checks(good, away)
    response = health.readyz(rf.get("/readyz"))
    assert response.status_code == 503
    assert b"secret-host" not in response.content
    assert b"It does not answer (ConnectionError)." in response.content


def test_many_probes_look_once_a_second(rf: RequestFactory, checks: Callable[..., None]) -> None:
    looked: list[int] = []

    def counted() -> Part:
        looked.append(1)
        return good()

    checks(counted)
    for _ in range(50):
        health.readyz(rf.get("/readyz"))
    assert len(looked) == 1


def test_reading_only(rf: RequestFactory) -> None:
    assert health.readyz(rf.post("/readyz")).status_code == 405


@pytest.mark.django_db
def test_metrics_count_rows_and_parts(rf: RequestFactory, checks: Callable[..., None], tenant: Any) -> None:
    from knowledge.documents.models import Document, KnowledgeBase

    base = KnowledgeBase.objects.create(tenant=tenant, name="Base", slug="base")
    for number in range(3):
        Document.objects.create(tenant=tenant, knowledge_base=base, name=f"{number}.md", title="x", status="ready")
    checks(good, away)
    text = health.metrics(rf.get("/metrics")).content.decode()
    samples = {(s.name, *s.labels.values()): s.value for f in text_string_to_metric_families(text) for s in f.samples}
    assert samples["footnote_documents", "ready"] == 3
    assert samples["footnote_part_up", "good"] == 1
    assert samples["footnote_part_up", "away"] == 0
    assert samples[("process_resident_memory_bytes",)] > 0


@pytest.mark.django_db
@pytest.mark.parametrize(("header", "status"), [("", 401), ("Bearer wrong", 401), ("Bearer right", 200)])
def test_metrics_token_is_asked_for(
    rf: RequestFactory, settings: Any, checks: Callable[..., None], header: str, status: int
) -> None:
    checks(good)
    settings.METRICS_TOKEN = "right"
    assert health.metrics(rf.get("/metrics", headers={"authorization": header})).status_code == status


# --- the parts themselves


@pytest.mark.django_db
def test_database_and_migrations_of_a_current_database() -> None:
    assert parts.database().version
    assert parts.migrations() == Part(name="migrations", ok=True)


@pytest.mark.django_db
def test_pending_migrations_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    monkeypatch.setattr(parts, "_migrations_done", False)
    MigrationRecorder.Migration.objects.filter(app="documents").delete()
    part = parts.migrations()
    assert not part.ok
    assert "manage.py migrate" in part.detail


def test_redis_that_is_away_is_noticed_quickly(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    began = time.monotonic()
    with pytest.raises(RedisConnectionError):
        parts.redis()
    assert time.monotonic() - began < 1


def test_redis_is_there(redis_server: Any) -> None:
    part = parts.redis()
    assert part.ok
    assert part.detail == ""


def test_worker_is_ready_only_after_its_sign_of_life(redis_server: Any) -> None:
    from chatapp.operations import tasks

    assert not parts.worker().ok
    tasks._alive()
    tasks._finished_a_task()
    assert parts.worker() == Part(name="worker", ok=True)


def test_worker_that_lives_but_finishes_nothing_says_so(redis_server: Any) -> None:
    from chatapp.operations import tasks

    tasks._alive()
    with parts.quick_redis() as client:
        client.set(parts.WORKER_LAST_TASK, time.time() - 900)
    assert "The last task ended 900 seconds ago." in parts.worker().detail


def test_sign_of_life_with_redis_away_does_not_end_the_worker(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    from chatapp.operations import tasks

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    tasks._alive()
    assert "could not write its sign of life" in caplog.text


@pytest.mark.parametrize(
    ("chosen", "version", "detail"),
    [
        ({}, "late", ""),
        ({"RERANKER": "none"}, "none", ""),
        ({"RERANKER": "features"}, "features", ""),
        ({"RERANK_MODEL": "cohere/rank"}, "hosted cohere/rank", "A search waits 2 seconds for it at most."),
        ({"RERANK_MODEL_DIR": "/private/minilm"}, "cross-encoder minilm", "A search waits 2 seconds for it at most."),
    ],
)
def test_reranker_in_use_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], version: str, detail: str
) -> None:
    from knowledge import wiring

    for setting, value in chosen.items():
        setattr(settings, setting, value)
    monkeypatch.setattr(wiring, "_built", {})
    assert parts.reranker() == Part(name="reranker", ok=True, version=version, detail=detail)
    wiring.reset()


@pytest.mark.parametrize(("purges", "says"), [(1, "1 place still"), (3, "3 places still"), (0, "none is left")])
def test_the_page_counts_what_is_still_to_be_cleared_as_places(purges: int, says: str) -> None:
    page = render_to_string("health/_work.html", {"found": {"documents": {}, "purges": purges}})
    assert says in page  # the database and Redis are among them, not indexes alone
    assert "index" not in page


def test_model_servers_that_failed_are_counted_and_are_no_fault_of_the_product(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatapp.finetuning.models import BaseModel, ModelServer
    from chatapp.finetuning.serving import extra

    monkeypatch.setattr(extra, "extra_installed", lambda: False)
    assert "make run TRAIN=1" in parts.models().detail
    monkeypatch.setattr(extra, "extra_installed", lambda: True)
    assert (parts.models().version, parts.models().detail) == ("0 served here", "")
    for name, state, wanted in (("a", "ready", True), ("b", "failed", True), ("secret", "failed", False)):
        base = BaseModel.objects.create(name=name, path=name, context_window=512, parameters=1, size=1)
        ModelServer.objects.create(base=base, kind="own", state=state, wanted=wanted)
    part = parts.models()
    assert part.ok
    assert part.version == "1 served here"
    assert part.detail.startswith("1 of 2 model servers failed")
    ModelServer.objects.filter(state="failed").update(state="starting")
    assert parts.models().detail == "Starting: 1 of 2 model servers."


@pytest.mark.usefixtures("transactional_db")
def test_runs_that_no_trainer_takes_are_told_and_are_no_fault_of_the_product(redis_server: Any, tenant: Any) -> None:
    from training_world import frozen_version

    from chatapp.finetuning.models import TrainingRun
    from chatapp.finetuning.training.supervising import NO_EXTRA_HERE

    def start(*, minutes: int, **more: Any) -> TrainingRun:
        fields = {"trainer": "local", "method": "lora", "name": "secret", "dataset_version": version} | more
        return TrainingRun.objects.create(tenant=tenant, not_before=now - timedelta(minutes=minutes), **fields)

    now, version = timezone.now(), frozen_version(tenant)
    assert parts.training() == Part(name="training", ok=True, version="0 running, 0 waiting")
    start(minutes=9, trainer="hosted")  # a provider's job is no trainer's
    start(minutes=1)  # a trainer may still come
    assert parts.training() == Part(name="training", ok=True, version="0 running, 1 waiting")
    start(minutes=3)
    part = parts.training()
    assert (part.ok, part.version) == (True, "0 running, 2 waiting")
    assert part.detail == f"A training run waits {parts.NO_TRAINER}"
    lost = start(minutes=9, state="running", lease_until=now - timedelta(minutes=3))
    assert parts.training().detail == f"2 training runs wait {parts.NO_TRAINER}"
    with parts.quick_redis() as client:
        queues.say_alive(client, ["training"], busy=False)
    assert parts.training().detail == f"2 training runs wait {parts.DEAF_TRAINER}"
    TrainingRun.objects.filter(pk=lost.pk).update(lease_until=now + timedelta(minutes=1))
    assert parts.training() == Part(name="training", ok=True, version="1 running, 2 waiting")  # they wait their turn
    start(minutes=-1, last_error=NO_EXTRA_HERE)  # put back by a worker, again and again
    assert "A training run waits, since the worker lacks the extra" in parts.training().detail
