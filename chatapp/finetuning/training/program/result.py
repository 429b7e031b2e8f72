"""What is left at the end: weights as safetensors, their digest, and the record of how they came about."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from chatapp.finetuning.artifacts import digest_of, file_digest, weight_files
from chatapp.finetuning.training.program.job import Job
from chatapp.finetuning.training.program.models import device_name, has_gpu
from chatapp.finetuning.training.program.reporting import Refused

__all__ = ["keep", "record_of"]

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "bitsandbytes")


def keep(model: Any, tokenizer: Any, job: Job) -> str:
    """Save the weights and return their digest. An adapter keeps its base's tokenizer; full weights bring their own.

    :raises Refused: a weight is no number.
    """
    part = job.result.with_name("result.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    if job.recipe.method == "full":
        tokenizer.save_pretrained(part)
        model.generation_config.save_pretrained(part)
    (part / "README.md").unlink(missing_ok=True)  # PEFT's, which names paths of this machine
    for path in weight_files(part):
        _check_numbers(path)
    shutil.rmtree(job.result, ignore_errors=True)
    part.rename(job.result)
    return digest_of(job.result)


def _check_numbers(path: Path) -> None:
    with safe_open(str(path), framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            if not bool(torch.isfinite(file.get_tensor(name)).all()):
                raise Refused(
                    "diverged", "The trained weights hold values that are no numbers. Use a smaller learning rate."
                )


def record_of(
    job: Job, *, digest: str, tokenizer: Any, data: dict[str, Any], lengths: list[int], curve: dict[str, Any]
) -> dict[str, Any]:
    """Return all it takes to do the same again, and to know that it was the same."""
    files = {path.name: file_digest(path) for path in sorted(job.result.iterdir()) if path.is_file()}
    return {
        **job.about,
        "run": job.run,
        "recipe": job.recipe.as_json(),
        "data": data,
        "tokens": {"rows": len(lengths), "sum": sum(lengths), "longest": max(lengths, default=0)},
        "base_files": dict(job.files),
        "chat_template": str(tokenizer.chat_template or ""),
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "hardware": hardware(),
        "threads": job.threads,
        "curve": curve,
        "result": {"digest": digest, "files": files},
    }  # fmt: skip


def hardware() -> dict[str, Any]:
    found: dict[str, Any] = {"machine": platform.machine(), "cores": os.cpu_count(), "device": device_name()}
    if has_gpu():
        found |= {"cuda": torch.version.cuda, "gpus": torch.cuda.device_count(), "driver": _driver()}
    return found


def write_record(job: Job, record: dict[str, Any]) -> None:
    path = Path(job.folder) / "record.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
    part.rename(path)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _driver() -> str:
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
        return done.stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return ""
