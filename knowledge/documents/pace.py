"""How fast files are read and indexed here: measured on the jobs that ended last, never assumed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.documents.models import IngestionJob

LAST = 50
"""Finished jobs that are measured."""

FEWEST = 3
"""With fewer nothing is said."""


class Clock:
    """Seconds of one job by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def done(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(now - self._since, 3)
        self._since = now


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds that a stage takes: some for every file, and some for each byte of it."""

    fixed: float
    per_byte: float

    def seconds(self, size: float, files: int = 1) -> float:
        return self.fixed * files + self.per_byte * size


@dataclass(frozen=True, slots=True)
class Pace:
    """The rates of the two stages."""

    reading: Rate
    indexing: Rate

    def seconds(self, size: float, files: int = 1) -> float:
        """Return how long one process works on files of this size together."""
        return self.reading.seconds(size, files) + self.indexing.seconds(size, files)

    def left(self, size: float, *, stage: str, progress: float) -> float:
        """Return how long a job still takes that is in a stage of its work."""
        if stage == "indexing":
            return self.indexing.seconds(size) * (1 - progress)
        return self.reading.seconds(size) * (1 - progress) + self.indexing.seconds(size)


def measured() -> Pace | None:
    """Return the pace of the jobs that ended last, or None while there is too little to measure."""
    ingests = IngestionJob.objects.filter(kind=IngestionJob.Kind.INGEST, state=IngestionJob.State.DONE)
    rows = ingests.filter(finished__isnull=False, report__has_key="seconds").order_by("-finished")
    ended = [(size, report["seconds"]) for size, report in rows.values_list("size", "report")[:LAST]]
    reading = _rate((size, seconds["reading"]) for size, seconds in ended if "reading" in seconds)
    indexing = _rate((size, seconds["indexing"]) for size, seconds in ended if "indexing" in seconds)
    return Pace(reading, indexing) if reading and indexing else None


def _rate(points: Iterable[tuple[int, float]]) -> Rate | None:
    """Fit a line through sizes and seconds; it never falls and never begins below zero."""
    found: Sequence[tuple[int, float]] = list(points)
    if len(found) < FEWEST:
        return None
    size = sum(x for x, _ in found) / len(found)
    seconds = sum(y for _, y in found) / len(found)
    spread = sum((x - size) ** 2 for x, _ in found)
    slope = max(0.0, sum((x - size) * (y - seconds) for x, y in found) / spread) if spread else 0.0
    if slope * size > seconds:
        return Rate(0.0, seconds / size)
    return Rate(seconds - slope * size, slope)
