"""A tiny Llama is trained by the product's own job: killed, gone on with, registered; the same seed, the same weights.

Starting torch takes seconds, so what was trained once is looked at by every test of this file.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tiny_llama
from training_world import frozen_version, pairs, run_again, start_worker

from chatapp.finetuning.artifacts import file_digest

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]  # five times what it takes on two idle cores

RECIPE = {"method": "lora", "epochs": 6, "batch": 4, "accumulation": 1, "max_length": 256, "rank": 16, "alpha": 32,
          "learning_rate": 0.01, "evaluations": 2, "seed": 7}  # fmt: skip
STEPS = 24
WORSE = {"method": "full", "epochs": 2, "evaluations": 8, "early_stopping": 1, "learning_rate": 5.0,
         "warmup_share": 0.0}  # fmt: skip
"""Steps so large that each makes it worse, by much."""


@dataclass
class Trained:
    """What the test of this file that trains left for the others."""

    folder: Path
    run: dict[str, Any] = field(default_factory=dict)
    again: dict[str, dict[str, Any]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def llama(work: Path, missing_part: Callable[..., Any]) -> Path:
    from chatapp.finetuning.training import extra

    if not extra.installed():
        missing_part("The extra `train`", "make run TRAIN=1")
    return tiny_llama.make(work / "llama", [" ".join(pair) for pair in pairs(20)], window=256)


@pytest.fixture(scope="module")
def trained(work: Path, llama: Path, django_db_setup: None, django_db_blocker: Any) -> Trained:
    """Train with LoRA through the task, killed on the way; then once more without a kill, full, and with QLoRA."""
    from django.conf import settings
    from django.test import override_settings

    with django_db_blocker.unblock(), override_settings(
        MODELS_DIR=work / "models", TRAINING_DIR=work / "runs", TRAINING_THREADS=1, LEASE_SECONDS=settings.LEASE_SECONDS
    ):  # fmt: skip
        found = _train(llama)
        found.again = run_again(
            found.folder,
            ("same", {}),
            ("full", {"method": "full", "epochs": 1}),
            ("four-bits", {"method": "qlora", "epochs": 0.25, "evaluations": 0}),
            ("early", {"method": "dora", "epochs": 2, "evaluations": 4, "early_stopping": 1, "learning_rate": 1e-7}),
            ("worse", WORSE),
            ("halted", WORSE),
            ("stopped", {"evaluations": 0}),
            ("diverged", {"method": "full", "learning_rate": 1e30, "epochs": 2, "evaluations": 0}),
            ("too-long", {"max_length": 20}),
            stopped=("stopped", "halted"),
            gone_on_with=("halted",),
        )
    return found


def _train(llama: Path) -> Trained:
    from django.core.management import call_command
    from django.db import connection

    from chatapp.finetuning.models import ModelVersion
    from chatapp.finetuning.training import bases, folders, launching, services, supervising
    from knowledge.tenants.access import system_actor
    from knowledge.tenants.models import Tenant

    tenant = Tenant.objects.create(slug="trainers", name="Trainers")
    base = bases.add_base(llama, "Tiny", tenant)
    version = frozen_version(tenant)
    run = services.start_run(actor=system_actor(tenant), version=version, base=base, recipe=RECIPE)
    killer = threading.Thread(target=_kill_at, args=(folders.folder_of(run), 12))
    killer.start()
    supervising.run_training(run_id=run.pk)
    killer.join()
    run.refresh_from_db()
    found = Trained(folders.folder_of(run))
    found.run["after_kill"] = {
        "state": run.state,
        "error": run.last_error,
        "step": run.step,
        "events": run.report["events"],
    }
    found.run["after_worker"] = _killed_worker(run, folders.folder_of(run))
    supervising.run_training(run_id=run.pk)
    run.refresh_from_db()
    found.run |= {
        "state": run.state, "error": run.last_error, "resumed_from": run.resumed_from, "record": run.record,
        "metrics": run.metrics, "report": run.report, "progress": run.progress, "attempts": run.attempts,
        "points": list(run.points.order_by("step").values()), "base": base.digest, "base_files": base.files,
        "samples": list(run.samples.order_by("step", "row_key").values()), "data": version.content_hash,
        "versions": ModelVersion.objects.filter(run=run).count(), "max_steps": run.max_steps,
    }  # fmt: skip
    found.run["left"] = sorted(path.name for path in found.folder.iterdir())
    launching.prepare(run)  # the rows once more, for the runs after this one
    call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
    connection.close()
    return found


def _kill_at(folder: Path, step: int) -> None:
    """Kill the trainer as soon as it is past a step and has a checkpoint; it does not hear of it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = "".join(path.read_text() for path in folder.glob("progress-*.jsonl"))
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        if any(line["event"] == "checkpoint" and line["step"] >= step for line in lines):
            os.kill(int((folder / "lock").read_text()), signal.SIGKILL)
            return
        time.sleep(0.01)


def _killed_worker(run: Any, folder: Path) -> dict[str, Any]:
    """Kill a worker of its own as soon as its trainer holds the run, and look what becomes of both."""
    import psutil

    from knowledge.documents import jobs

    before = (folder / "lock").read_text()
    worker = start_worker(
        "from chatapp.finetuning.training import supervising\nsupervising.run_training(run_id=uuid.UUID(sys.argv[1]))",
        str(run.pk),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (folder / "lock").read_text() in ("", before):
        time.sleep(0.01)
    trainer = psutil.Process(int((folder / "lock").read_text()))
    worker.kill()
    worker.wait()
    gone, _ = psutil.wait_procs([trainer], timeout=10)
    run.refresh_from_db()
    return {"trainer_ended": bool(gone), "state": run.state, "freed": jobs.release_leases_of_dead_workers()}


def said(folder: Path, event: str) -> list[dict[str, Any]]:
    """What the trainer said in a folder of ``run_again``, of one kind, in its order."""
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_trainer_ends_with_its_worker_and_the_run_is_free_at_once(trained: Trained) -> None:
    assert trained.run["after_worker"] == {"trainer_ended": True, "state": "running", "freed": 1}


def test_a_killed_trainer_is_said_to_be_interrupted_and_waits_to_go_on(trained: Trained) -> None:
    after = trained.run["after_kill"]
    assert after["state"] == "queued"
    assert after["error"] == f"Interrupted at step {after['step']} (signal 9)."
    assert after["events"][-1]["code"] == "interrupted"
    assert 12 <= after["step"] < STEPS


def test_it_goes_on_from_its_checkpoint_and_ends(trained: Trained) -> None:
    run = trained.run
    assert (run["state"], run["error"]) == ("done", "")
    assert run["resumed_from"] >= 12
    assert run["progress"] == 1.0
    assert run["max_steps"] == STEPS
    assert [point["step"] for point in run["points"]] == list(range(STEPS + 1))
    before, *steps = run["points"]
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert all(point["memory"] for point in steps)
    assert (before["loss"], before["memory"]) == (None, None)
    held_out = {point["step"]: point["eval_loss"] for point in run["points"] if point["eval_loss"] is not None}
    assert set(held_out) == {0, 12, 24}
    assert held_out[24] < held_out[0]


def test_samples_show_what_was_learned(trained: Trained) -> None:
    samples = trained.run["samples"]
    assert {sample["step"] for sample in samples} == {0, 12, 24}
    assert len(samples) == 9
    first = {sample["row_key"]: sample["output"] for sample in samples if sample["step"] == 0}
    last = {sample["row_key"]: sample["output"] for sample in samples if sample["step"] == STEPS}
    assert first != last


def test_the_result_is_safetensors_with_its_hash_and_registered(trained: Trained) -> None:
    from chatapp.finetuning.artifacts import digest_of

    result = trained.folder / "result"
    assert sorted(path.name for path in result.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert trained.run["record"]["result"]["digest"] == digest_of(result) == trained.run["report"]["digest"]
    assert trained.run["versions"] == 1
    assert trained.run["left"] == ["job.json", "lock", "record.json", "result", "trainer.log"]


def test_the_record_says_what_it_takes_to_do_it_again(trained: Trained) -> None:
    record = trained.run["record"]
    assert record["base"]["digest"] == trained.run["base"]
    assert record["base_files"] == trained.run["base_files"]
    assert record["dataset"]["content_hash"] == trained.run["data"]
    assert record["recipe"]["seed"] == 7
    assert record["data"]["train"]["rows"] == 16
    assert record["packages"]["trl"].startswith("1.16")
    assert record["hardware"]["cores"] == os.cpu_count()
    assert len(record["curve"]["loss"]) == STEPS
    assert trained.run["metrics"]["tokens_per_second"] > 0


def test_the_same_seed_makes_the_same_adapter_also_over_a_kill(trained: Trained) -> None:
    assert trained.again["same"]["event"] == "done"
    assert trained.again["same"]["digest"] == trained.run["record"]["result"]["digest"]


def test_full_training_and_four_bits_train_too(trained: Trained) -> None:
    full, quantized = trained.again["full"], trained.again["four-bits"]
    assert (full["event"], full["metrics"]["steps"]) == ("done", 4)
    assert (quantized["event"], quantized["metrics"]["steps"]) == ("done", 1)
    files = {path.name for path in (trained.folder.parent / "full" / "result").iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= files


def test_it_ends_when_it_is_told_to_and_can_be_gone_on_with(trained: Trained) -> None:
    from chatapp.finetuning.training.program.checkpoints import newest_good

    assert (trained.again["stopped"]["event"], trained.again["stopped"]["step"]) == ("stopped", 1)
    found = newest_good(trained.folder.parent / "stopped" / "checkpoints")
    assert found is not None
    step, folder = found
    assert step == 1
    (folder / "adapter_model.safetensors").write_bytes(b"cut short")
    assert newest_good(folder.parent) is None
    assert not folder.exists()


def test_it_stops_early_when_nothing_gets_better(trained: Trained) -> None:
    early = trained.again["early"]
    assert early["event"] == "done"
    assert 2 <= early["metrics"]["steps"] <= 8


def test_the_look_before_the_first_step_is_no_checkpoint_that_could_be_the_best(trained: Trained) -> None:
    assert trained.again["worse"]["event"] == "done"
    folder = trained.folder.parent / "worse"
    looks = {line["step"]: line["eval_loss"] for line in said(folder, "eval")}
    assert list(looks) == [0, 1, 2]  # one look without improvement on that of the first step, and it ended
    assert looks[0] < looks[1] < looks[2]
    state = json.loads((folder / "checkpoints" / "checkpoint-2" / "trainer_state.json").read_text())
    assert (state["best_global_step"], state["best_metric"]) == (1, pytest.approx(looks[1]))
    kept, best, last = (
        file_digest(folder / name / "model.safetensors")
        for name in ("result", "checkpoints/checkpoint-1", "checkpoints/checkpoint-2")
    )
    assert kept == best != last


def test_a_run_gone_on_with_does_not_look_again_before_its_first_step(trained: Trained) -> None:
    whole, halted = (trained.folder.parent / name for name in ("worse", "halted"))
    assert [line["resumed_from"] for line in said(halted, "start")] == [None, 1]
    looks = [(line["step"], line["eval_loss"]) for line in said(halted, "eval")]
    assert looks == [(line["step"], line["eval_loss"]) for line in said(whole, "eval")]
    assert trained.again["halted"]["digest"] == trained.again["worse"]["digest"]
    assert len([line for line in said(halted, "sample") if line["step"] == 0]) == 3


def test_what_cannot_end_well_ends_in_words(trained: Trained) -> None:
    diverged, long = trained.again["diverged"], trained.again["too-long"]
    assert (diverged["event"], diverged["code"], diverged["permanent"]) == ("failed", "diverged", True)
    assert "The loss is no number any more at step" in diverged["message"]
    assert (long["event"], long["code"]) == ("failed", "too_long")
    assert "20 of 20 rows are longer than 20 tokens" in long["message"]
    assert "Nothing is cut" in long["message"]
