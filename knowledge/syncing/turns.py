"""Which run goes on when more wait than may: every organisation in its turn, and a long run behind the others."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils import timezone

from knowledge.documents import jobs
from knowledge.documents.leased import LeasedJob
from knowledge.syncing.models import SyncRun
from knowledge.syncing.tally import Tally

__all__ = ["FRUITLESS", "go_on_later", "waits_its_turn"]

TURN_SECONDS = 15
"""A run that waits asks again after this long."""

MOST_FRUITLESS = 3
FRUITLESS = (
    "This source got no further in {times} turns of {minutes} minutes. Narrow it, or ask those who run its server why "
    "it answers so slowly; then start a run."
)

_NEVER = datetime.min.replace(tzinfo=UTC)
_Rank = tuple[int, datetime, datetime]


def waits_its_turn(run_id: uuid.UUID) -> bool:
    """Leave a worker to everything else: a large source takes hours, and only ``SYNCS_AT_ONCE`` runs go on at once.

    A free place is for the organisation with the fewest runs under way, and among those for the one that was served
    longest ago; of its runs for the one that waits longest. A removal waits for nobody: people were told it is done.
    """
    now = timezone.now()
    run = SyncRun.objects.filter(pk=run_id).exclude(kind=SyncRun.Kind.REMOVE).first()
    if run is None:
        return False
    others = SyncRun.objects.exclude(pk=run_id).exclude(kind=SyncRun.Kind.REMOVE)
    going = list(others.filter(state=LeasedJob.State.RUNNING, lease_until__gt=now).values_list("tenant_id", flat=True))
    free = settings.SYNCS_AT_ONCE - len(going)
    if free > 0 and _ahead(run, others, Counter(going), now) < free:
        return False
    later = now + timedelta(seconds=TURN_SECONDS)
    SyncRun.objects.filter(pk=run_id, state=LeasedJob.State.QUEUED).update(not_before=later, published=None)
    return True


def _ahead(run: SyncRun, others: QuerySet[SyncRun], going: Counter[uuid.UUID], now: datetime) -> int:
    """Return how many of the runs that wait for a place, and not for a later attempt, go before this one."""
    soon = now + timedelta(seconds=TURN_SECONDS)
    waiting = list(
        others.filter(state=LeasedJob.State.QUEUED, not_before__lte=soon).values_list("tenant_id", "started", "created")
    )
    tenants = {run.tenant_id, *(tenant for tenant, _, _ in waiting)}
    served = dict(
        SyncRun.objects.filter(tenant__in=tenants).values_list("tenant_id").annotate(Max("started")).order_by()
    )

    def rank(tenant: uuid.UUID, started: datetime | None, created: datetime) -> _Rank:
        return going[tenant], served[tenant] or _NEVER, started or created

    own = rank(run.tenant_id, run.started, run.created)
    return sum(rank(*other) < own for other in waiting)


def go_on_later(run: SyncRun, tally: Tally) -> None:
    """Put a run whose task is out of time behind the others; end it when it gets no further from task to task.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    furthest = run.report.get("furthest", 0)
    fruitless = 0 if tally.moved > furthest else run.report.get("fruitless", 0) + 1
    if fruitless >= MOST_FRUITLESS:
        minutes = settings.CELERY_TASK_SOFT_TIME_LIMIT // 60
        jobs.fail(run, message=FRUITLESS.format(times=MOST_FRUITLESS, minutes=minutes), permanent=True)
        return
    report = {**run.report, "furthest": max(furthest, tally.moved), "fruitless": fruitless}
    jobs.ours(run).update(report=report, started=timezone.now())
    jobs.postpone(run, seconds=0)
