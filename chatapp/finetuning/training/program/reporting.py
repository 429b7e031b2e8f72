"""Lines of progress: the only way the trainer speaks."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

__all__ = ["Refused", "Reporter"]

ALIVE_SECONDS = 2.0


class Refused(Exception):
    """The training cannot go on; the message is for people. ``permanent``: trying again cannot help."""

    def __init__(self, code: str, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.code, self.message, self.permanent = code, message, permanent


class Reporter:
    """Appends lines to the progress file. What is no number there is null: JSON knows no NaN."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._began = time.monotonic()
        self._last = 0.0

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def say(self, event: str, **more: Any) -> None:
        self._last = time.monotonic()
        line = {"event": event, "seconds": self.seconds, **{name: _plain(value) for name, value in more.items()}}
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def alive(self, **more: Any) -> None:
        """Say that the work moves on, but not more often than anybody reads."""
        if time.monotonic() - self._last > ALIVE_SECONDS:
            self.say("alive", **more)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
