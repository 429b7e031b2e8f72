"""When a source runs next."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from knowledge.errors import SourceMisconfigured
from knowledge.syncing.models import DAY

SHORTEST, LONGEST = 5, 90 * DAY
"""Minutes from run to run."""

MOST_JITTER = 300
"""Seconds; sources of one hour do not begin in one second."""


def check(*, interval: int, at_hour: int | None) -> None:
    """Refuse a schedule that cannot be kept.

    :raises SourceMisconfigured: with the reason.
    """
    if interval and not SHORTEST <= interval <= LONGEST:
        raise SourceMisconfigured("A source runs every 5 minutes at most, and every 90 days at least.")
    if at_hour is not None and not 0 <= at_hour <= 23:
        raise SourceMisconfigured("The hour must be between 0 and 23.")
    if at_hour is not None and (not interval or interval % DAY):
        raise SourceMisconfigured("An hour can only be named where the source runs every day, or every so many days.")


def next_run(*, source: uuid.UUID, interval: int, at_hour: int | None, after: datetime) -> datetime | None:
    """Return the next moment after that one; None without a schedule. The same source has the same jitter."""
    if not interval:
        return None
    jitter = timedelta(seconds=source.int % min(MOST_JITTER, interval * 6))
    if at_hour is None:
        return after + timedelta(minutes=interval) + jitter
    local = timezone.localtime(after)
    first = local.replace(hour=at_hour, minute=0, second=0, microsecond=0) + jitter
    while first <= local:
        first += timedelta(days=interval // DAY)
    return first


def in_words(*, interval: int, at_hour: int | None) -> str:
    """Return the schedule for people: ``every 2 hours``, ``every day at 3:00``, ``by hand only``."""
    if not interval:
        return "by hand only"
    count, unit = _largest(interval)
    every = f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return every if at_hour is None else f"{every} at {at_hour}:00"


def _largest(interval: int) -> tuple[int, str]:
    for minutes, unit in ((DAY, "day"), (60, "hour")):
        if interval % minutes == 0:
            return interval // minutes, unit
    return interval, "minute"
