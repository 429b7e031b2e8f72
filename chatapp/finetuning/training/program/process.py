"""What surrounds the training: it ends with its parent, gives way to others, and speaks to nobody."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chatapp.finetuning.training.program.job import Job, read_job

__all__ = ["Stop", "confine", "only_one", "start"]

PR_SET_PDEATHSIG = 1


class Stop:
    """Whether somebody asked for an end: by SIGTERM, or by a file."""

    def __init__(self, file: Path) -> None:
        self._file, self._told = file, False
        signal.signal(signal.SIGTERM, self._tell)

    def _tell(self, *_: object) -> None:
        self._told = True

    @property
    def asked(self) -> bool:
        return self._told or self._file.exists()


def start(path: Path) -> int:
    """Train what a file asks for and return the exit status.

    What it does is told by lines of JSON in the job's progress file; whoever started it reads them.
    """
    job = read_job(path)
    confine(job)
    from chatapp.finetuning.training.program.running import run  # the imports of torch come after the limits

    return run(job)


def confine(job: Job) -> None:
    """Set what must be set before torch is imported."""
    if job.parent:
        _end_with(job.parent)
    os.nice(job.niceness)
    os.umask(0o077)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(job.threads)
    os.environ.update(
        HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1",
        HF_DATASETS_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HOME=str(Path(job.folder) / "cache"), TOKENIZERS_PARALLELISM="false", CUBLAS_WORKSPACE_CONFIG=":4096:8",
    )  # fmt: skip
    sys.addaudithook(_no_network)


def _end_with(parent: int) -> None:
    """Die with the process that started this one; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)


def _no_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse every connection to another address: nothing here has a reason to make one."""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise PermissionError("The trainer may not use the network.")


@contextmanager
def only_one(folder: Path) -> Iterator[bool]:
    """Hold the run's folder, with this process's number in its lock; False when another process trains there."""
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield True
