"""Builds as the page of their dataset shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatapp.finetuning.datasets.answers import LEFT_OUT
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.builds import CHECKING
from chatapp.finetuning.datasets.models import DatasetVersion, TrainingDataset
from knowledge.documents.leased import LeasedJob

__all__ = ["build_context", "build_words", "rows_told"]

STATE = LeasedJob.State
ALONE = frozenset({DatasetBuild.Kind.CHECK, DatasetBuild.Kind.FREEZE})
"""Kinds that propose no rows."""


def rows_told(counts: Mapping[str, int]) -> str:
    """Say what became of proposed rows, without a full stop."""
    proposed = counts.get("proposed", 0)
    parts = [f"{proposed:,} {'row' if proposed == 1 else 'rows'} proposed"]
    parts += [f"{counts.get('unverified', 0):,} of them not held by their sources"] if proposed else []
    parts += [f"{counts['known']:,} known already"] if counts.get("known") else []
    parts += [f"{counts['gone']:,} left out, for a document of theirs is gone"] if counts.get("gone") else []
    return ", ".join(parts)


def build_words(build: DatasetBuild, version: DatasetVersion | None = None) -> str:
    """Say how a build stands; ``version`` is the one it works on."""
    if build.state == STATE.QUEUED:
        return f"{build.last_error} It is tried again." if build.last_error else "Waiting for a worker."
    told = "" if build.kind in ALONE else f" {_added(build)}"
    if build.state == STATE.RUNNING:
        return _under_way(build) + told
    if build.state == STATE.FAILED:
        return f"Failed: {build.last_error}{told}"
    if build.state == STATE.CANCELLED:
        return f"Cancelled.{told}"
    if build.kind == DatasetBuild.Kind.FREEZE and version is not None:
        return f"Version {version.number} is frozen. A training can use it from now on."
    return f"Done:{told}" if told else "Done."


def _under_way(build: DatasetBuild) -> str:
    if build.kind == DatasetBuild.Kind.FREEZE:
        return "Under way: everything is checked once more, then the version is closed."
    if build.kind == DatasetBuild.Kind.CHECK or build.stage == CHECKING:
        return "Under way: all rows are checked for copies, leaks, personal data and lengths."
    return f"Under way: {build.done:,} of {build.total:,}."


def _added(build: DatasetBuild) -> str:
    counts = build.counts
    reasons = "; ".join(f"{counts[name]:,} {words}" for name, words in LEFT_OUT.items() if counts.get(name))
    left_out = f", {counts['left_out']:,} left out" if counts.get("left_out") else ""
    return f"{rows_told(counts)}{left_out}.{f' Answers left out: {reasons}.' if reasons else ''}"


def build_context(dataset: TrainingDataset) -> dict[str, Any]:
    """Return what the page of a dataset shows of its newest build. Checks show by what they found; one is told of only
    while it is open, or where it failed."""
    rows = dataset.builds.exclude(kind=DatasetBuild.Kind.CHECK, state__in=[STATE.DONE, STATE.CANCELLED])
    build = rows.defer("work").order_by("-created").first()
    if build is None:
        return {"build": None, "is_open": False}
    froze = build.kind == DatasetBuild.Kind.FREEZE and build.state == STATE.DONE
    frozen = dataset.versions.filter(pk=build.options["version"]).first() if froze else None
    is_open = build.state in (STATE.QUEUED, STATE.RUNNING)
    return {
        "build": build, "build_words": build_words(build, frozen), "is_open": is_open,
        "build_file": build.options.get("name", ""), "refused": build.report.get("refused", 0),
        "bad_lines": build.report.get("errors", []), "frozen": frozen,
    }  # fmt: skip
