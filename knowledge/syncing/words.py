"""How a source stands, and what a run did, in words."""

from __future__ import annotations

from knowledge.documents.leased import LeasedJob
from knowledge.syncing.models import Source, SyncRun

WITHHELD = "{count} documents are gone from the source, more than half of what came from it. None was withdrawn."
CONFIRM = f"{WITHHELD} If that is meant, confirm the withdrawal."
WOULD_ASK = "It is more than half of what came from the source, so a run would ask before it withdraws them."


def state_of(source: Source, run: SyncRun | None) -> str:
    """Return how a source stands after its newest run of any kind."""
    if run is None:
        return "Never run." if source.enabled else "Paused. Never run."
    words = _outcome(run)
    return words if source.enabled or not source.interval else f"Paused. {words}"


def _outcome(run: SyncRun) -> str:
    state = LeasedJob.State
    if run.state == state.QUEUED:
        return f"Waiting to be tried again: {run.last_error}" if run.last_error else "Waiting for a worker."
    if run.state == state.RUNNING:
        return f"{run.get_kind_display()} under way: {run.counts.get('listed', 0):,} items looked at."
    if run.state == state.FAILED:
        return f"Failed: {run.last_error}"
    if run.state == state.CANCELLED:
        return "The last run was cancelled."
    if run.withheld and run.kind != SyncRun.Kind.DRY:
        return CONFIRM.format(count=f"{run.withheld:,}")
    failed = run.counts.get("failed", 0)
    if failed:
        return f"{failed:,} {'problem' if failed == 1 else 'problems'} in the last {_called(run)}."
    return "In order." if run.kind == SyncRun.Kind.FULL else f"The last {_called(run)} ended."


def summary_of(run: SyncRun) -> str:
    """Return the counts of a run as a sentence without what is zero."""
    would = "would be " if run.kind == SyncRun.Kind.DRY else ""
    said = [
        f"{run.counts[name]:,} {words}"
        for name, words in (
            ("added", f"{would}added"), ("changed", f"{would}changed"), ("withdrawn", f"{would}withdrawn"),
            ("unchanged", "unchanged"), ("skipped", "skipped"), ("failed", "failed"),
        )
        if run.counts.get(name)
    ]  # fmt: skip
    return ", ".join(said) or "nothing to do"


def _called(run: SyncRun) -> str:
    return "dry run" if run.kind == SyncRun.Kind.DRY else "run"
