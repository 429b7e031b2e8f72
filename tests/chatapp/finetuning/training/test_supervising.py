"""What the supervisor does with a trainer that hangs, dies, refuses or is not wanted; torch plays no part."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scripted_trainer
from django.db import connection
from training_world import frozen_version, small_model, start_worker

from chatapp.finetuning.datasets.models import RowSource
from chatapp.finetuning.training import bases, folders, launching, services, supervising
from chatapp.finetuning.training.models import TrainingRun
from knowledge.documents import doorbells, jobs
from knowledge.documents.deletions.places import Subject, registered
from knowledge.tenants.access import system_actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

SAVED = {"event": "checkpoint", "step": 4, "path": "/checkpoints/checkpoint-4"}
LOG = {"event": "log", "step": 3, "max_steps": 10, "loss": 2.5, "learning_rate": 0.001, "tokens_per_second": 90.0,
       "memory": 2**33}  # fmt: skip


@pytest.fixture
def start(tenant: Any, tmp_path: Path, settings: Any) -> Callable[..., TrainingRun]:
    """Call with what the trainer does to get a run that waits."""

    def make(*acts: dict[str, Any]) -> TrainingRun:
        settings.TRAINING_PYTHON = scripted_trainer.write(tmp_path / "program", list(acts))
        base = bases.add_base(small_model(tmp_path / "small"), "Small", tenant)
        return services.start_run(
            actor=system_actor(tenant), version=frozen_version(tenant), base=base, recipe={"epochs": 1}
        )

    return make


def work(run: TrainingRun) -> TrainingRun:
    supervising.run_training(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_lines_become_points_samples_and_progress(start: Callable[..., TrainingRun]) -> None:
    again = {**LOG, "loss": 2.25}
    sample = {"event": "sample", "step": 0, "key": "a" * 64, "expected": "blue", "output": "gr\0een"}
    run = work(start(
        {"event": "stage", "stage": "training"}, {"event": "start", "device": "cpu", "trainable": 5}, sample, LOG, again,
        {"event": "eval", "step": 3, "max_steps": 10, "eval_loss": 2.0}, SAVED, {"do": "exit", "status": 3},
    ))  # fmt: skip
    (point,) = run.points.all()
    assert (point.loss, point.eval_loss, point.memory) == (2.25, 2.0, 2**33)
    assert run.samples.get().output == "gr\N{REPLACEMENT CHARACTER}een"
    assert (run.step, run.max_steps, run.progress) == (4, 10, 0.4)
    assert run.report["device"] == "cpu"
    assert run.last_error == "Interrupted at step 4 (exit status 3)."


def test_a_run_that_is_done_has_its_record_and_is_asked_to_be_registered(start: Callable[..., TrainingRun]) -> None:
    run = work(start(LOG, {"do": "result", "weights": "w"}))
    assert (run.state, run.step, run.metrics) == ("done", 9, {"steps": 9})
    assert run.record["dataset"]["content_hash"] == run.dataset_version.content_hash
    assert run.record["base"]["digest"] == run.base.digest


def test_no_words_of_rows_stay_in_files_or_samples(start: Callable[..., TrainingRun], tenant: Any) -> None:
    run = start({"do": "exit"})
    row = run.dataset_version.rows.first()
    document = uuid.uuid4()
    RowSource.objects.bulk_create([RowSource(row=row, role="oracle", document_ref=document)])
    run.samples.create(step=0, row_key=row.key, expected=row.completion, output="x")
    run.samples.create(step=0, row_key="b" * 64, expected="of another document", output="x")
    launching.prepare(run)
    assert (folders.folder_of(run) / "data" / "train.jsonl").read_text().count("\n") == 16
    subject = Subject(tenant=str(tenant.pk), knowledge_base="", document=str(document))
    places = {place.key: place for place in registered()}
    assert places["training_files"].count(subject).count == 1
    assert places["training_samples"].count(subject).count == 1
    places["training_samples"].remove(subject)  # type: ignore[misc]
    assert run.samples.get().row_key == "b" * 64
    work(run)
    assert places["training_files"].count(subject).count == 0
    left = [path.name for path in folders.folder_of(run).rglob("*") if path.is_file()]
    assert sorted(left) == ["environment.json", "job.json", "lock", "trainer.log"]


def test_a_result_that_was_changed_is_not_taken(start: Callable[..., TrainingRun]) -> None:
    run = work(start({"do": "result", "weights": "w", "digest": "0" * 64}))
    assert run.state == "queued"
    assert "What came out is damaged." in run.last_error


def test_a_result_whose_worker_was_killed_is_taken_without_training_again(
    start: Callable[..., TrainingRun], settings: Any, tmp_path: Path
) -> None:  # fmt: skip
    run = work(start({"do": "result", "weights": "w"}))
    TrainingRun.objects.filter(pk=run.pk).update(state="queued", finished=None)
    settings.TRAINING_PYTHON = scripted_trainer.write(tmp_path / "program", [{"do": "exit", "status": 9}])
    assert work(run).state == "done"


def test_what_the_trainer_refuses_is_said_in_its_words(start: Callable[..., TrainingRun]) -> None:
    words = "The loss is no number any more at step 3: the training fell apart. Use a smaller learning rate."
    run = work(start(LOG, {"event": "failed", "code": "diverged", "message": words, "permanent": True}))
    assert (run.state, run.last_error) == ("failed", words)
    assert run.report["events"][0]["code"] == "diverged"


def test_a_trainer_without_sign_of_life_is_ended_and_taken_up_again(
    start: Callable[..., TrainingRun], settings: Any
) -> None:  # fmt: skip
    settings.TRAINING_SILENT_SECONDS = 1
    run = work(start({"event": "stage", "stage": "training"}, LOG, {"do": "hang"}))
    assert (run.state, run.last_error) == ("queued", "Interrupted at step 3 (no sign of life).")
    pid = int((folders.folder_of(run) / "lock").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_three_attempts_without_a_new_checkpoint_are_enough(start: Callable[..., TrainingRun]) -> None:
    run = start(LOG, {"do": "exit", "status": 1})
    for attempt in range(1, 4):
        work(run)
        assert (run.attempts, run.state) == (attempt, "queued" if attempt < 3 else "failed")
    assert run.last_error == "Interrupted at step 3 (exit status 1). (attempt 3 of 3)" + ""


def test_attempts_that_get_further_are_not_counted(
    start: Callable[..., TrainingRun], settings: Any, tmp_path: Path
) -> None:
    run = start(LOG, SAVED, {"do": "exit", "status": 1})
    for step in range(5, 11):
        work(run)
        assert (run.attempts, run.state) == (1, "queued")
        acts = [{**SAVED, "step": step}, {"do": "exit", "status": 1}]
        settings.TRAINING_PYTHON = scripted_trainer.write(tmp_path / "program", acts)


def test_cancelling_lets_it_save_and_end(start: Callable[..., TrainingRun], tenant: Any) -> None:
    run = start(LOG, {"do": "wait_for_stop", "step": 3})

    def cancel() -> None:
        while not run.points.exists():
            time.sleep(0.05)
        services.cancel_run(actor=system_actor(tenant), run=TrainingRun.objects.get(pk=run.pk))
        connection.close()

    thread = threading.Thread(target=cancel)
    thread.start()
    work(run)
    thread.join()
    assert (run.state, run.last_error) == ("cancelled", "")
    services.resume_run(actor=system_actor(tenant), run=run)
    assert (run.state, run.attempts, run.cancel_requested) == ("queued", 0, False)


def test_the_trainer_gets_none_of_our_secrets(
    start: Callable[..., TrainingRun], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("LLM_API_KEY", "sentinel-secret")
    run = work(start({"do": "exit"}))
    environment = (folders.folder_of(run) / "environment.json").read_text()
    assert "sentinel" not in environment
    assert not {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"} & json.loads(environment).keys()


def test_a_worker_that_cannot_train_leaves_the_run_to_others(
    start: Callable[..., TrainingRun], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    run = start({"do": "exit"})
    monkeypatch.setattr(supervising.extra, "installed", lambda: False)
    work(run)
    assert (run.state, run.attempts) == ("queued", 0)
    assert "run `make run TRAIN=1`".lower() in run.last_error.lower()


def test_a_trainer_that_outlived_its_worker_is_ended_by_the_next(
    start: Callable[..., TrainingRun], settings: Any
) -> None:  # fmt: skip
    run = start({"event": "stage", "stage": "training"}, LOG, {"do": "hang"})
    settings.TRAINING_SILENT_SECONDS = 3600

    def frozen_worker() -> None:
        supervising.run_training(run_id=run.pk)
        connection.close()

    thread = threading.Thread(target=frozen_worker)
    thread.start()
    lock = folders.folder_of(run) / "lock"
    while not run.points.exists():
        time.sleep(0.05)
    left = int(lock.read_text())
    # As if that worker had been frozen: its lease is another's now.
    TrainingRun.objects.filter(pk=run.pk).update(fence=99)
    folders.end_left_trainer(folders.folder_of(run))
    thread.join(timeout=20)
    assert not thread.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(left, 0)


def test_a_killed_worker_frees_its_run_at_once(start: Callable[..., TrainingRun]) -> None:
    run = start({"do": "exit"})
    worker = start_worker(
        "import os, signal\nfrom knowledge.documents import jobs\nfrom chatapp.finetuning.models import TrainingRun\n"
        "jobs.claim_of(TrainingRun.objects.all(), uuid.UUID(sys.argv[1]))\nos.kill(os.getpid(), signal.SIGKILL)",
        str(run.pk),
    )  # fmt: skip
    assert worker.wait(timeout=60) == -signal.SIGKILL
    run.refresh_from_db()
    assert run.state == "running"
    assert jobs.release_leases_of_dead_workers() == 1
    work(run)
    assert run.attempts == 2


def test_each_kind_of_run_has_its_task_and_queue() -> None:
    from chatapp.celery import app
    from chatapp.finetuning.training import tasks

    local, hosted = TrainingRun(trainer="local"), TrainingRun(trainer="hosted")
    assert doorbells._tasks[TrainingRun](local) is not doorbells._tasks[TrainingRun](hosted)
    assert app.amqp.router.route({}, tasks.train.name)["queue"].name == "training"
