"""From the trainer's lines to rows: the curve, the samples, how far it is, and how it ended."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from chatapp.finetuning.training.models import TrainingPoint, TrainingRun, TrainingSample
from knowledge.documents import jobs

__all__ = ["ENDINGS", "Follower"]

logger = logging.getLogger(__name__)

ENDINGS = ("done", "failed", "stopped")
PATIENCE = {"loading": 10, "saving": 10}
"""How many times as long it may be silent while it reads or writes gigabytes."""
CURVE = ("loss", "learning_rate", "tokens_per_second", "memory", "seconds")


class Follower:
    """Reads the progress file of one attempt, from where it stopped reading."""

    def __init__(self, run: TrainingRun, path: Path) -> None:
        self._run, self._path = run, path
        self._offset = 0
        self._heard = time.monotonic()
        self._stage = "loading"
        self.end: dict[str, Any] | None = None

    @property
    def is_silent(self) -> bool:
        """Whether there was no sign of life for so long that it must hang."""
        limit = float(settings.TRAINING_SILENT_SECONDS * PATIENCE.get(self._stage, 1))
        return time.monotonic() - self._heard > limit

    def read(self) -> None:
        """Take up what was written since.

        :raises jobs.LeaseLost: the run is no longer ours.
        """
        lines = self._new_lines()
        if not lines:
            return
        self._heard = time.monotonic()
        changes: dict[str, Any] = {"heartbeat": timezone.now()}
        for line in lines:
            self._take(line, changes)
        if changes.get("max_steps"):
            changes["progress"] = min(1.0, changes.get("step", self._run.step) / changes["max_steps"])
        self._store_curve(lines)
        self._store_samples(lines)
        if not jobs.ours(self._run).update(**changes):
            raise jobs.LeaseLost
        for name, value in changes.items():
            setattr(self._run, name, value)

    def _new_lines(self) -> list[dict[str, Any]]:
        """Return the whole lines that came since; the last may still be written."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                logger.warning("Run %s wrote a line that is no JSON", self._run.pk)
        return found

    def _take(self, line: dict[str, Any], changes: dict[str, Any]) -> None:
        event = line.get("event")
        if event in ENDINGS:
            self.end = line
        elif event == "stage":
            self._stage = changes["stage"] = str(line["stage"])[:20]
        elif event == "start":
            changes["resumed_from"] = line.get("resumed_from")
            changes["report"] = {**self._run.report, "device": line.get("device"), "trainable": line.get("trainable")}
        elif event == "checkpoint":
            changes["checkpoint"] = str(line["path"])
            changes["report"] = {**changes.get("report", self._run.report), "saved": int(line["step"])}
        for name in ("step", "max_steps"):
            if event in ("alive", "log", "eval", "checkpoint") and line.get(name) is not None:
                changes[name] = int(line[name])

    def _store_curve(self, lines: list[dict[str, Any]]) -> None:
        """Write points once for each step, however often an attempt passes it."""
        for event, fields in (("log", CURVE), ("eval", ("eval_loss", "seconds"))):
            points = {
                int(line["step"]): TrainingPoint(
                    run=self._run, step=int(line["step"]), **{name: line.get(name) for name in fields}
                )
                for line in lines if line.get("event") == event
            }  # fmt: skip
            if points:
                TrainingPoint.objects.bulk_create(
                    points.values(), update_conflicts=True, unique_fields=["run", "step"], update_fields=list(fields)
                )

    def _store_samples(self, lines: list[dict[str, Any]]) -> None:
        samples = {
            (int(line["step"]), str(line["key"])[:64]): TrainingSample(
                run=self._run, step=int(line["step"]), row_key=str(line["key"])[:64],
                expected=_storable(line["expected"]), output=_storable(line["output"]),
            )
            for line in lines if line.get("event") == "sample"
        }  # fmt: skip
        if samples:
            TrainingSample.objects.bulk_create(
                samples.values(), update_conflicts=True, unique_fields=["run", "step", "row_key"],
                update_fields=["expected", "output"],
            )  # fmt: skip


def _storable(text: Any) -> str:
    """Return what a database can hold of what a model said: PostgreSQL takes no NUL, nor half of a pair."""
    return str(text).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
