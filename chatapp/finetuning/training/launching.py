"""Starting the trainer's process: what it is told, and the little of this process's environment that it gets."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings

from chatapp.finetuning import alone
from chatapp.finetuning.training import bases, extra
from chatapp.finetuning.training.folders import folder_of
from chatapp.finetuning.training.models import TrainingRun
from chatapp.finetuning.training.program.job import Job, write_job
from chatapp.finetuning.training.recipes import Recipe

__all__ = ["Trainer", "job_of", "launch", "prepare"]

PROGRAM = alone.program("chatapp.finetuning.training.program")
HANDED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "TZ")
"""Nothing else: no key, no address of a database reaches the trainer."""
GRACE_SECONDS = 60.0


class Trainer:
    """The process, in a session of its own. It ends with the thread that started it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def how_it_ended(self) -> str:
        code = self._process.poll()
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def ask_to_stop(self) -> None:
        """It saves where it is after its step, and ends."""
        if not self.ended:
            self._process.terminate()

    def wait(self, *, seconds: float = GRACE_SECONDS) -> None:
        """Wait for its end, and end it after that time."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._process.wait()


def prepare(run: TrainingRun) -> Path:
    """Make the run's folder and write its rows, once: the version is frozen. Return the folder."""
    from chatapp.finetuning.datasets.export import write_jsonl

    folder = folder_of(run)
    for name in ("data", "checkpoints", "tmp"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for split in ("train", "eval"):
        path = folder / "data" / f"{split}.jsonl"
        if not path.is_file():
            part = path.with_suffix(".part")
            write_jsonl(run.dataset_version, split, part)
            part.rename(path)
    return folder


def job_of(run: TrainingRun) -> Job:
    """Return what the trainer is told.

    :raises BaseRefused: a file of the base model was changed or is gone.
    """
    assert run.base is not None
    bases.check_files(run.base)
    folder = folder_of(run)
    return Job(
        run=str(run.pk), base=str(bases.folder_of(run.base)), files=run.base.files, folder=str(folder),
        progress=str(folder / f"progress-{run.fence}.jsonl"), recipe=Recipe(**run.recipe), parent=os.getpid(),
        threads=threads(), cpu_parameters=settings.TRAINING_CPU_PARAMETERS, about=_about(run),
    )  # fmt: skip


def threads() -> int:
    """Return how many threads it computes with: half of the cores where nobody chose, since others work too."""
    return int(settings.TRAINING_THREADS) or max(1, (os.cpu_count() or 1) // 2)


def launch(job: Job) -> Trainer:
    """Start the trainer; what it prints goes to ``trainer.log`` in the run's folder."""
    folder = Path(job.folder)
    job.stop_file.unlink(missing_ok=True)
    path = folder / "job.json"
    write_job(job, path)
    with (folder / "trainer.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [extra.python(), "-P", "-s", *PROGRAM, str(path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=folder, env=_environment(folder), close_fds=True, start_new_session=True,
        )  # fmt: skip
    return Trainer(process)


def _environment(folder: Path) -> dict[str, str]:
    handed_on = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    return {
        **handed_on, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip


def _about(run: TrainingRun) -> dict[str, Any]:
    """Return what the record says of where data and model came from."""
    from chatapp.finetuning.datasets.export import documents_of

    assert run.base is not None
    version = run.dataset_version
    return {
        "name": run.name,
        "method": run.method,
        "base": {"id": str(run.base.pk), "name": run.base.name, "digest": run.base.digest,
                 "architecture": run.base.architecture},
        "parameters": run.base.parameters,
        "dataset": {"id": str(version.dataset_id), "name": version.dataset.name, "version": version.number,
                    "content_hash": version.content_hash, "split_seed": version.seed, "kind": version.dataset.kind,
                    "documents": sorted(str(ref) for ref in documents_of(version))},
        "tenant": str(run.tenant_id),
        "commit": _commit(),
    }  # fmt: skip


def _commit() -> str:
    """Return the commit of this code where it runs from a checkout."""
    try:
        asked = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "HEAD"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
