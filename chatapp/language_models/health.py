"""Models that do not work as they are set up, for those who look after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from chatapp.language_models.models import LanguageModel, UsageEntry
from knowledge.errors import ModelNotConfigured, ModelTimeout, ModelUnavailable

__all__ = ["problems"]

REFUSED_SINCE = timedelta(days=7)
"""What is set up wrongly stays so until somebody mends it."""

AWAY_SINCE = timedelta(hours=1)


def problems(tenants: Sequence[UUID]) -> Iterator[str]:
    """Yield what is wrong with models whose last call failed, each with the next step."""
    now = timezone.now()
    calls = UsageEntry.objects.filter(
        language_model=OuterRef("pk"), tenant__in=tenants, created__gt=now - REFUSED_SINCE
    )
    newest = calls.exclude(status=UsageEntry.Status.CANCELLED).order_by("-created")
    models = LanguageModel.objects.filter(Q(tenant__in=tenants) | Q(tenant=None), enabled=True).annotate(
        last_code=Subquery(newest.values("error_code")[:1]), last_detail=Subquery(newest.values("error_detail")[:1]),
        last_created=Subquery(newest.values("created")[:1]),
    )  # fmt: skip
    failed = models.exclude(last_code=None).exclude(last_code="").order_by("name", "pk")
    for name, model, code, detail, at in failed.values_list(
        "name", "model", "last_code", "last_detail", "last_created"
    ):
        why = f"{detail or code}, {timezone.localtime(at):%d %B, %H:%M}"
        if code == ModelNotConfigured.code:
            yield (
                f"“{name}” ({model}) does not accept its address or key ({why}). Its users are told that it is not set "
                "up. Check address, model name and key under Models."
            )
        elif code in (ModelUnavailable.code, ModelTimeout.code) and at > now - AWAY_SINCE:
            yield (
                f"“{name}” ({model}) did not answer its last question ({why}). See whether its server or provider "
                "works, and give it a fallback under Models."
            )
