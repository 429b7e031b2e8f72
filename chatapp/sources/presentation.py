"""Rows of sources and runs as their pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.documents.leased import LeasedJob
from knowledge.sources.base import Option
from knowledge.syncing import kinds, schedule, words
from knowledge.syncing.models import Source, SyncRun
from knowledge.syncing.secrets import secret_names

COUNT_WORDS = (
    ("listed", "Looked at"), ("unchanged", "Unchanged"), ("added", "Added"), ("changed", "Changed"),
    ("withdrawn", "Withdrawn"), ("failed", "Failed"), ("skipped", "Skipped"),
)  # fmt: skip
ACTIONS = {"added": "new", "changed": "changed", "withdrawn": "withdrawn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """One source of the list."""

    source: Source
    run: SyncRun | None
    documents: int
    title: str  # of its kind
    state: str
    when: str
    is_open: bool
    needs_somebody: bool  # it failed, has problems, or asks

    @property
    def done(self) -> str:
        return words.summary_of(self.run) if self.run and not self.is_open else ""


def line_of(source: Source, run: SyncRun | None, documents: int) -> SourceLine:
    return SourceLine(
        source=source, run=run, documents=documents, title=kinds.titles().get(source.kind, source.kind),
        state=words.state_of(source, run), when=schedule.in_words(interval=source.interval, at_hour=source.at_hour),
        is_open=is_open(run), needs_somebody=_needs_somebody(run),
    )  # fmt: skip


def is_open(run: SyncRun | None) -> bool:
    return run is not None and run.state in (LeasedJob.State.QUEUED, LeasedJob.State.RUNNING)


def _needs_somebody(run: SyncRun | None) -> bool:
    if run is None or run.kind == SyncRun.Kind.DRY:
        return False
    return run.state == LeasedJob.State.FAILED or bool(run.withheld or run.counts.get("failed"))


def settings_of(source: Source) -> list[tuple[str, str]]:
    """Return what is set, by its labels; of a secret only that it is set."""
    secret = set(secret_names(source))
    rows = []
    for option in _options(source.kind):
        if option.kind == "secret":
            value = "set" if option.name in secret else ""
        else:
            value = _shown(source.options.get(option.name))
        if value:
            rows.append((option.label, value))
    return rows


def _options(kind: str) -> Sequence[Option]:
    return kinds.options_of(kind) if kind in kinds.titles() else ()


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else str(value if value is not None else "")


def run_context(run: SyncRun) -> dict[str, Any]:
    """Return what the page of a run shows, and the part of it that is drawn anew while the run goes on."""
    dry = run.kind == SyncRun.Kind.DRY
    asks = bool(run.withheld) and not dry and run.source is not None and not run.source.deleting
    return {
        "run": run,
        "is_open": is_open(run),
        "is_dry": dry,
        "counts": [(label, run.counts.get(name, 0)) for name, label in COUNT_WORDS],
        "changes": [(ACTIONS.get(change["action"], change["action"]), change["key"]) for change in run.changes],
        "more_changes": max(0, sum(run.counts.get(name, 0) for name in ACTIONS) - len(run.changes)),
        "more_errors": max(0, run.counts.get("failed", 0) - len(run.errors)),
        "outcome": _outcome(run),
        "asks": asks and not _is_superseded(run),
        "would_ask": words.WOULD_ASK if dry and run.withheld else "",
    }


def _is_superseded(run: SyncRun) -> bool:
    assert run.source is not None
    return run.source.runs.filter(created__gt=run.created).exclude(kind=SyncRun.Kind.DRY).exists()


def _outcome(run: SyncRun) -> str:
    state = LeasedJob.State
    if run.state == state.QUEUED:
        return f"{run.last_error} It is tried again." if run.last_error else "Waiting for a worker."
    if run.state == state.RUNNING:
        return "Under way."
    if run.state == state.FAILED:
        return f"Failed: {run.last_error}"
    if run.state == state.CANCELLED:
        return "Cancelled. What it had stored stays."
    if run.withheld and run.kind != SyncRun.Kind.DRY:
        return words.WITHHELD.format(count=f"{run.withheld:,}")
    return f"Ended: {words.summary_of(run)}."
