"""What the trainer is told: one file of JSON, written by the process that starts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chatapp.finetuning.training.recipes import Recipe

__all__ = ["Job", "read_job", "write_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``folder`` is the run's own: data/ is read, checkpoints/ and result/ are written. Sizes in bytes and tokens."""

    run: str
    base: str  # folder of the model to train from
    files: Mapping[str, str]  # SHA-256 of its files by name
    folder: str
    progress: str  # where lines of JSON go
    recipe: Recipe
    parent: int = 0  # the process it ends with; 0: none
    threads: int = 1
    niceness: int = 10
    cpu_parameters: int = 300_000_000  # a larger model is not trained without a GPU
    samples: int = 3  # held-out prompts that are answered before, in between and after
    sample_tokens: int = 96
    about: Mapping[str, Any] = field(default_factory=dict)  # goes into the record as it is

    @property
    def checkpoints(self) -> Path:
        return Path(self.folder) / "checkpoints"

    @property
    def result(self) -> Path:
        return Path(self.folder) / "result"

    @property
    def stop_file(self) -> Path:
        """It ends after its step when this is there, as it does at SIGTERM."""
        return Path(self.folder) / "stop"

    def rows(self, split: str) -> Path:
        return Path(self.folder) / "data" / f"{split}.jsonl"


def write_job(job: Job, path: Path) -> None:
    path.write_text(json.dumps(asdict(job), indent=1, sort_keys=True), encoding="utf-8")


def read_job(path: Path) -> Job:
    told = json.loads(path.read_text(encoding="utf-8"))
    return Job(**{**told, "recipe": Recipe(**told["recipe"])})
