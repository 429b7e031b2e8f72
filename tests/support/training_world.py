"""Rows to train on, a tiny base model, and a worker's process for training tests."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ("blue", "red", "green", "black")


def pairs(count: int) -> list[tuple[str, str]]:
    """Return questions over a passage, and answers with a marker."""
    found = []
    for number in range(count):
        colour = COLOURS[number % len(COLOURS)]
        prompt = f"[S1] The widget {number} is {colour}.\n\nWhat colour is widget {number}?"
        found.append((prompt, f"The widget is {colour} [S1]."))
    return found


def frozen_version(tenant: Any, *, train: int = 16, held_out: int = 4, slug: str = "widgets", longer: str = "") -> Any:
    """Make a dataset with a frozen version of approved rows."""
    from django.utils import timezone

    from chatapp.finetuning.models import DatasetVersion, TrainingDataset, TrainingRow

    dataset = TrainingDataset.objects.create(tenant=tenant, slug=slug, name="Widgets", kind="raft")
    version = DatasetVersion.objects.create(dataset=dataset, number=1)
    keys = []
    for number, (prompt, completion) in enumerate(pairs(train + held_out)):
        messages = [{"role": "user", "content": prompt + longer}]
        key = hashlib.sha256(json.dumps([messages, completion]).encode()).hexdigest()
        keys.append(key)
        TrainingRow.objects.create(
            version=version, key=key, origin="curated", kind="grounded", prompt=messages, completion=completion,
            state="approved", split="train" if number < train else "eval", tokens=40,
        )  # fmt: skip
    version.state, version.frozen = "frozen", timezone.now()
    version.content_hash = hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()
    version.save()
    return version


def run_again(
    folder: Path, *runs: tuple[str, dict[str, Any]], stopped: tuple[str, ...] = (), gone_on_with: tuple[str, ...] = ()
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Train the job of a folder again with changed recipes, all in one process; return the last line of each.

    ``stopped``: those that are asked to stop before they begin; ``gone_on_with``: those taken up again after that.
    """
    told = json.loads((folder / "job.json").read_text())
    jobs = []
    for name, recipe in runs:
        own = folder.parent / name
        (own / "data").mkdir(parents=True)
        for split in ("train", "eval"):
            (own / "data" / f"{split}.jsonl").write_bytes((folder / "data" / f"{split}.jsonl").read_bytes())
        job = {**told, "run": name, "folder": str(own), "progress": str(own / "progress.jsonl"), "parent": 0,
               "sample_tokens": 4,  # most of the time went into answers that nobody reads
               "recipe": {**told["recipe"], **recipe}}  # fmt: skip
        if name in stopped:
            (own / "stop").touch()
        path = own / "job.json"
        path.write_text(json.dumps(job))
        jobs.append(path)
    code = (
        "import sys\nfrom pathlib import Path\nfrom chatapp.finetuning.training.program import job, process\n"
        "jobs = [job.read_job(Path(name)) for name in sys.argv[1:]]\nprocess.confine(jobs[0])\n"
        "from chatapp.finetuning.training.program.running import run\n[run(each) for each in jobs]\n"
        f"again = [each for each in jobs if each.run in {gone_on_with!r}]\n"
        "[(each.stop_file.unlink(), run(each)) for each in again]\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-s", "-c", code, *map(str, jobs)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        path.parent.name: json.loads((path.parent / "progress.jsonl").read_text().splitlines()[-1]) for path in jobs
    }


def small_model(folder: Path, *, window: int = 256, values: int = 64) -> Path:
    """Write a folder that looks like a model, without torch: enough for everything but training."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": window}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    write_safetensors(folder / "model.safetensors", values)
    return folder


def write_safetensors(path: Path, values: int) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4 * values))


def start_worker(code: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a process over this test's database and data, as a worker is one; ``code`` runs with Django set up."""
    from django.conf import settings
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    url = (
        f"sqlite:///{name}"
        if connection.vendor == "sqlite"
        else os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    )
    shared = {"DATABASE_URL": url, "PYTHONPATH": str(ROOT), "DATA_DIR": str(settings.DATA_DIR), "MODELS_DIR": str(settings.MODELS_DIR),
              "TRAINING_DIR": str(settings.TRAINING_DIR), "TRAINING_THREADS": str(settings.TRAINING_THREADS)}  # fmt: skip
    start = f"import sys, uuid, django\ndjango.setup()\n{code}"
    return subprocess.Popen([sys.executable, "-c", start, *arguments], env={**os.environ, **shared, **environment})
