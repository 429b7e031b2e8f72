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

__all__ = ["end_left_trainer", "folder_of", "forget_rows", "has_rows", "log_tail", "result_of"]

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


def has_rows(run: TrainingRun) -> bool:
    """Tell whether rows, or answers to them, lie in files of the run on this machine."""
    folder = folder_of(run)
    return (folder / "data").is_dir() or any(folder.glob("progress-*.jsonl"))


def forget_rows(run: TrainingRun, *, checkpoints: bool) -> None:
    """Remove the files with words of rows: an attempt after this one writes them anew. Checkpoints only when the run
    is done, since it goes on from them."""
    folder = folder_of(run)
    for name in ("data", "cache", "tmp", *(["checkpoints"] if checkpoints else [])):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in folder.glob("progress-*.jsonl"):
        path.unlink(missing_ok=True)


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
