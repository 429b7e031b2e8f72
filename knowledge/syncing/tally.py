"""What a run counts and notes, and how it reaches the row."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from knowledge.documents import jobs
from knowledge.syncing.models import SyncRun

COUNTS = ("listed", "unchanged", "added", "changed", "withdrawn", "failed", "skipped")
DONE = ("added", "changed", "withdrawn")
"""What is done once, and so is kept when a run that was stopped goes on."""

MOST_ERRORS, MOST_CHANGES = 100, 500
"""Lines kept with a run; the counts say how many there were."""

SAVE_SECONDS = 2.0
LONGEST_SHOWN = 300


class Tally:
    """The counts of a run in progress."""

    def __init__(self, run: SyncRun) -> None:
        self._run = run
        kept = run.counts if run.kind != SyncRun.Kind.DRY else {}
        self.counts = {name: kept.get(name, 0) if name in DONE else 0 for name in COUNTS}
        self.errors: list[dict[str, str]] = []
        self.changes: list[dict[str, str]] = list(run.changes) if kept else []
        self.moved = sum(self.counts[name] for name in DONE)
        """Steps of any kind, what earlier tasks of the run stored among them: more than last time, and it gets on."""
        self._expected = 0
        self._saved = time.monotonic()

    def expect(self, items: int) -> None:
        """Say how many items there were last time: what the progress is measured against."""
        self._expected = items

    def count(self, name: str) -> None:
        self.counts[name] += 1
        self.moved += 1

    def did(self, action: str, key: str, *, document: uuid.UUID | None = None) -> None:
        """Count something done to an item, and note it, with the document whose erasure takes the note back."""
        self.count(action)
        if len(self.changes) < MOST_CHANGES:
            self.changes.append(_line(key, document, action=action))

    def failed(self, key: str, message: str, *, document: uuid.UUID | None = None) -> None:
        self.count("failed")
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(_line(key, document, message=message))

    def save(self, **more: Any) -> None:
        """Write the counts to the row.

        :raises jobs.LeaseLost: the run is no longer ours, or was cancelled.
        """
        if not jobs.ours(self._run).update(**self._row(), **more):
            raise jobs.LeaseLost
        self._saved = time.monotonic()

    def save_now_and_then(self) -> None:
        """Write the counts when that was not done lately.

        :raises jobs.LeaseLost: the run is no longer ours, or was cancelled.
        """
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def _row(self) -> Mapping[str, Any]:
        share = self.counts["listed"] / self._expected if self._expected else 0.0
        return {
            "counts": self.counts, "errors": self.errors, "changes": self.changes, "progress": min(share, 0.99),
        }  # fmt: skip


def _line(key: str, document: uuid.UUID | None, **said: str) -> dict[str, str]:
    return {"key": key[:LONGEST_SHOWN], **said, **({"document": str(document)} if document else {})}
