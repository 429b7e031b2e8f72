"""What the page says of each index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from knowledge.documents.indexes import overview
from knowledge.documents.indexes.generations import Standing
from knowledge.documents.models import IndexGeneration, IndexJob

__all__ = ["IndexRow", "rows_of", "time_words"]

State = IndexGeneration.State


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """An index as the page shows it."""

    id: str
    live: bool
    phase: str
    model: str
    dimension: int
    chunker: str
    documents: int
    held: int
    passages: int
    since: datetime
    busy: bool  # a job is open: the page asks again
    left: str  # how long a build still takes
    error: str
    waits: bool  # it is used as soon as it is whole
    former: bool  # kept for going back
    switchable: bool
    comparable: bool
    removable: bool
    kept_until: datetime | None

    @property
    def whole(self) -> bool:
        return self.held == self.documents


def rows_of(standings: Sequence[Standing]) -> list[IndexRow]:
    return [_row(standing, now=timezone.now()) for standing in standings]


def _row(standing: Standing, *, now: datetime) -> IndexRow:
    row, job = standing.generation, standing.job
    leaving = row.state == State.COLLECTING
    seconds = overview.seconds_left(standing, now=now)
    kept = row.switched + timedelta(days=settings.KEEP_GENERATIONS_DAYS) if row.switched else None
    former = row.state == State.RETIRED and not standing.live
    return IndexRow(
        id=str(row.pk), live=standing.live, phase=overview.phase(standing), model=overview.model_words(row),
        dimension=row.dimension, chunker=row.chunker, documents=standing.documents, held=standing.held,
        passages=row.chunks, since=(row.switched if standing.live else None) or row.created,
        busy=job is not None and job.state in overview.OPEN, left=time_words(seconds) if seconds is not None else "",
        error=job.last_error if job is not None and job.state == IndexJob.State.FAILED else "",
        waits=row.switch_when_ready and not standing.live, former=former,
        switchable=not standing.live and not leaving and not row.switch_when_ready,
        comparable=not standing.live and row.state in (State.READY, State.RETIRED),
        removable=not standing.live and not leaving, kept_until=kept if former else None,
    )  # fmt: skip


def time_words(seconds: int) -> str:
    """Return a duration as people say it."""
    if seconds < 60:
        return "less than a minute"
    minutes = -(-seconds // 60)
    if minutes < 90:
        return f"about {minutes} minute{'' if minutes == 1 else 's'}"
    hours = round(minutes / 60)
    return f"about {hours} hours"
