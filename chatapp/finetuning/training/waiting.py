"""How many runs wait for a trainer of this installation, and which of them nobody takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone

from chatapp.finetuning.training.models import TrainingRun
from chatapp.finetuning.training.supervising import NO_EXTRA_HERE

__all__ = ["Waiting", "waiting"]

LONG = timedelta(minutes=2)
"""A trainer that is there takes a run within seconds, and one whose worker died within a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Counts of local runs of every organisation."""

    running: int
    queued: int
    left: int  # that nobody took for long, running ones whose worker is gone included
    refused: int  # that a worker took and put back, since it cannot train


def waiting() -> Waiting:
    """Count them now. While one trains, the others wait their turn and nobody left them."""
    now, state = timezone.now(), TrainingRun.State
    queued, held = Q(state=state.QUEUED), Q(state=state.RUNNING, lease_until__gte=now)
    lost = Q(state=state.RUNNING, lease_until__lt=now - LONG)
    refused = queued & Q(last_error=NO_EXTRA_HERE)
    counted = TrainingRun.objects.filter(trainer=TrainingRun.Trainer.LOCAL).aggregate(
        running=Count("pk", filter=held), queued=Count("pk", filter=queued), refused=Count("pk", filter=refused),
        left=Count("pk", filter=(queued & Q(not_before__lt=now - LONG)) | lost),
    )  # fmt: skip
    return Waiting(**{**counted, "left": 0 if counted["running"] else counted["left"]})
