"""The watch over versions that answer: a canary, or a newly promoted one, that does worse is taken back by itself.

Compared are failed calls, statements that their sources do not hold, and faults of form, over the newest answers.
Worse means that even the lower end of its 95 % interval (Wilson 1927) lies above the other's share and a margin.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from chatapp.conversations.models import AnswerRun
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion, RegistryEvent
from chatapp.finetuning.registry.services import end_canary, go_back
from chatapp.finetuning.registry.standing import former_versions, settle
from chatapp.language_models.models import UsageEntry

__all__ = ["Shares", "lower_end", "shares_of", "watch", "worse_words"]

logger = logging.getLogger(__name__)

_Z = 1.96
Status = UsageEntry.Status
CALLS = "failed calls"
UNSUPPORTED = "statements that their sources do not hold"
FORM = "answers with faults of form"


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``of``."""

    count: int = 0
    of: int = 0

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else 0.0


Shares = Mapping[str, Share]


def watch() -> int:
    """Look at every model that has a canary or something to go back to; return how many were taken back."""
    rows = FineTunedModel.objects.filter(versions__state=ModelVersion.State.ACTIVE)
    taken_back = 0
    for model in rows.distinct():
        taken_back += _watched(model)
        settle(model)  # a fallback may have been chosen, or a setting changed, since
    return taken_back


def _watched(model: FineTunedModel) -> bool:
    versions = model.versions.select_related("language_model")
    active = versions.filter(state=ModelVersion.State.ACTIVE).first()
    canary = versions.filter(canary_share__gt=0).exclude(language_model=None).first()
    if active is None:
        return False
    if canary is not None:
        words = worse_words(shares_of(canary, since=_since(canary, "canary")), shares_of(active))
        if words:
            end_canary(canary, words=f"Taken off by itself: {words}")
            logger.warning("Canary %s was taken off: %s", canary.pk, words)
            return True
    return _active_watched(model, active)


def _active_watched(model: FineTunedModel, active: ModelVersion) -> bool:
    """Compare a version since it was promoted with the one before it; one that a person went back to is left alone."""
    since = _since(active, "promoted")
    reactivated = _since(active, "reactivated")
    before = next((each for each in former_versions(model) if each.pk != active.pk), None)
    if before is None or since is None or (reactivated is not None and reactivated > since):
        return False
    words = worse_words(shares_of(active, since=since), shares_of(before))
    if not words:
        return False
    go_back(model, words=f"Taken back by itself: {words}")
    logger.warning("Version %s was taken back: %s", active.pk, words)
    return True


def _since(version: ModelVersion, kind: str) -> datetime | None:
    found = RegistryEvent.objects.filter(version=version, kind=kind).order_by("-created").first()
    return found.created if found else None


def shares_of(version: ModelVersion, *, since: datetime | None = None) -> Shares:
    """Count over the newest answers of a version. A stopped answer says nothing of its model."""
    calls = UsageEntry.objects.filter(language_model_id=version.language_model_id, purpose=UsageEntry.Purpose.ANSWER)
    calls = calls.exclude(status=Status.CANCELLED)
    if since is not None:
        calls = calls.filter(created__gte=since)
    newest = list(calls.order_by("-created").values_list("status", "run_ref")[: settings.WATCH_ANSWERS])
    answered = [run for status, run in newest if status == Status.OK and run is not None]
    runs = AnswerRun.objects.filter(pk__in=answered, tenant_id=version.fine_tuned_model.tenant_id)
    verdicts, faulty, count = [], 0, 0
    for sentences, anomalies in runs.values_list("sentences", "anomalies"):
        count += 1
        faulty += bool(anomalies)
        verdicts += [sentence.get("verdict") for sentence in sentences]
    judged = [each for each in verdicts if each in ("supported", "weak", "unsupported", "uncited")]
    return {
        CALLS: Share(sum(status == Status.FAILED for status, _ in newest), len(newest)),
        UNSUPPORTED: Share(sum(each in ("unsupported", "uncited") for each in judged), len(judged)),
        FORM: Share(faulty, count),
    }


def worse_words(now: Shares, before: Shares) -> str:
    """Say what became worse; empty when nothing did, or when there are too few answers of either to tell."""
    least = settings.WATCH_LEAST_ANSWERS
    return " ".join(
        f"{each.value:.0%} {name} ({each.count} of {each.of}) against {before[name].value:.0%}."
        for name, each in now.items()
        if each.of >= least
        and before[name].of >= least
        and lower_end(each) > before[name].value
        and each.value - before[name].value >= settings.WATCH_MARGIN
    )


def lower_end(share: Share) -> float:
    """Return the lower end of the 95 % interval of a share."""
    n, p = share.of, share.value
    if not n:
        return 0.0
    middle = p + _Z**2 / (2 * n)
    spread = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return max(0.0, (middle - spread) / (1 + _Z**2 / n))
