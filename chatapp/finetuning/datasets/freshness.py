"""Whether the last check of a draft still tells all: the limits it counted by, the questions it knew, its rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chatapp.finetuning.datasets.models import DatasetVersion, KeptOutQuestion

__all__ = ["carried", "counted_by", "limits_of", "needs_check", "newest_kept_out", "outdated", "unlooked"]


def limits_of(version: DatasetVersion) -> dict[str, Any]:
    """Return the limits that rows of a version must keep (``Limits.of``)."""
    return dict(version.checks.get("limits") or {})


def counted_by(version: DatasetVersion) -> dict[str, Any] | None:
    """Return the limits by which the tokens of its rows were counted; None where that must be done anew."""
    if "counted" not in version.checks:  # a check before these were told apart
        return limits_of(version)
    counted = version.checks["counted"]
    return None if counted is None else dict(counted)


def newest_kept_out(tenant_id: UUID) -> int:
    """Return the id of the newest question that an organisation keeps out; 0 where there is none."""
    newest = KeptOutQuestion.objects.filter(tenant_id=tenant_id).order_by("-pk").values_list("pk", flat=True).first()
    return newest or 0


def carried(version: DatasetVersion) -> dict[str, Any]:
    """Return what a copy of its rows keeps of the checks: what they were looked at for."""
    return {name: version.checks[name] for name in ("limits", "counted", "kept_out") if name in version.checks}


def unlooked(version: DatasetVersion) -> int:
    """Return how many rows were not looked at yet. A check counts the tokens of each; none has 0."""
    return version.rows.filter(tokens=0, erased=None).count()


def outdated(version: DatasetVersion) -> str:
    """Say what was changed since the rows were checked; empty where the check holds."""
    if not version.rows.exists():
        return ""
    if counted_by(version) != limits_of(version):
        return "The rows were not checked for this model yet. Check them first."
    if newest_kept_out(version.dataset.tenant_id) != version.checks.get("kept_out", 0):
        return "Evaluation questions were kept out since the rows were checked. Check them again first."
    return ""


def needs_check(version: DatasetVersion) -> bool:
    """Tell whether the rows of a draft are to be checked anew."""
    return version.state == DatasetVersion.State.DRAFT and bool(unlooked(version) or outdated(version))
