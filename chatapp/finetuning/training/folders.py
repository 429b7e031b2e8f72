"""Where a run keeps its files: below TRAINING_DIR, a folder for each."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from pathlib import Path

from django.conf import settings

from chatapp.finetuning.training.models import TrainingRun

__all__ = ["end_left_trainer", "folder_of", "log_tail", "remove_folder", "result_of"]

LOG_BYTES = 20_000
PROGRAM = b"chatapp.finetuning.training.program"


def folder_of(run: TrainingRun) -> Path:
    """Return data/, checkpoints/, result/, logs and progress of a run."""
    return Path(settings.TRAINING_DIR) / str(run.pk)


def result_of(run: TrainingRun) -> Path:
    """Return the folder with what came out: adapter_model.safetensors with its config, or the full weights."""
    return folder_of(run) / "result"


def log_tail(run: TrainingRun) -> str:
    """Return the end of what the trainer printed; nothing where it ran on another machine."""
    try:
        with (folder_of(run) / "trainer.log").open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def remove_folder(run: TrainingRun) -> None:
    shutil.rmtree(folder_of(run), ignore_errors=True)


def end_left_trainer(folder: Path, *, seconds: float = 10.0) -> None:
    """End a trainer of this run that outlived its worker: one that was frozen, and whose lease is another's now.

    Only a process that holds the run's lock, runs on this machine and is our program is touched.
    """
    path = folder / "lock"
    deadline = time.monotonic() + seconds
    while path.is_file() and time.monotonic() < deadline:
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = file.read().strip()
            else:
                return
        if not (pid.isdecimal() and _is_trainer(int(pid))):
            return
        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.1)


def _is_trainer(pid: int) -> bool:
    try:
        return PROGRAM in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
