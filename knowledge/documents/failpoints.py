"""Places where a test ends, breaks or stops the process on purpose. They do nothing outside of tests.

``FAIL_AT=point:what[:nth][,...]``: ``what`` is ``kill9``, ``exception`` or ``hang``, at the nth time (the first) that
any process reaches the point. Times are counted in a file, so that a process that starts again does not fail again.
``FAIL_AT=@path`` reads the same from a file, at each point anew.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from django.conf import settings

POINTS = (
    "file_saved",
    "row_written",
    "before_enqueue",
    "after_parse",
    "mid_embedding",
    "after_vector_write",
    "before_switch",
    "after_switch",
    "between_delete_in_database_and_index",
)
"""On the way of a document; the crash matrix takes each of them."""
ELSEWHERE = ("between_job_and_row",)
"""In packages above this one: a training job that a provider has and its row does not name yet."""
FAULTS = ("kill9", "exception", "hang")


class FailpointReached(RuntimeError):
    """What the fault ``exception`` raises."""


def reach(point: str) -> None:
    """Fail here when that was asked for.

    :raises FailpointReached: an exception was asked for.
    """
    if not settings.TESTING or not (wanted := _wanted(point)):
        return
    fault = wanted.get(_count(point), "")
    if fault == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "exception":
        raise FailpointReached(point)
    elif fault == "hang":
        while True:
            time.sleep(60)


def _wanted(point: str) -> dict[int, str]:
    """Return by number of the time what shall happen at a point."""
    text = os.environ.get("FAIL_AT", "")
    if text.startswith("@"):
        path = Path(text[1:])
        text = path.read_text() if path.exists() else ""
    found = {}
    for entry in filter(None, text.strip().split(",")):
        name, fault, *nth = entry.split(":")
        if name not in (*POINTS, *ELSEWHERE) or fault not in FAULTS:
            raise ValueError(f"FAIL_AT names no point or fault that is known: {entry!r}")
        if name == point:
            found[int(nth[0]) if nth else 1] = fault
    return found


def _count(point: str) -> int:
    """Count this time, across processes, and return which one it is."""
    folder = settings.DATA_DIR / "failpoints"
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / point, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, b".")
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)
