"""What is wrong with an index or the disk, in sentences that say what to do next."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from knowledge.documents.indexes import upkeep
from knowledge.documents.models import IndexJob
from knowledge.types import StoreFacts

__all__ = ["disk", "of_table", "size"]

FAILURES = 3
MOST_UNINDEXED, UNINDEXED_SHARE = 1_000, 0.1
MOST_VERSIONS = 200
TIMES_EXPECTED, SMALL_TABLE = 10, 64 * 2**20
ROW_BYTES = 4_096  # text, terms and their part of the indexes, beside the vector
FREE_SHARE, FREE_BYTES = 0.1, 2**30


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1_000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1_024
    return f"{count:,.1f} GB"


def of_table(facts: StoreFacts | None, *, tenant_id: uuid.UUID, space: str) -> list[str]:
    """Return what is wrong with one table, measured and by the last jobs of its upkeep."""
    return [*_failing(tenant_id, space), *(_measured(facts) if facts is not None else ())]


def _failing(tenant_id: uuid.UUID, space: str) -> Iterator[str]:
    over = upkeep.history(tenant_id=tenant_id, space=space).filter(finished__isnull=False)
    last = list(over.order_by("-finished")[:FAILURES])
    if len(last) == FAILURES and all(job.state == IndexJob.State.FAILED for job in last):
        yield (
            f"The upkeep of the index failed {FAILURES} times running: {last[0].last_error} Its files grow until it "
            "works again. Mend that, then run `manage.py upkeep`."
        )


def _measured(facts: StoreFacts) -> Iterator[str]:
    rows = facts.rows or 0
    for index, lacking in sorted(facts.unindexed.items()):
        if lacking > MOST_UNINDEXED and lacking > UNINDEXED_SHARE * rows:
            yield (
                f"{lacking:,} of {rows:,} passages are not in the index {index}, so that searches are slow. "
                "Upkeep puts them in every ten minutes; `manage.py upkeep` does it now and says what hinders it."
            )
    if (facts.versions or 0) > MOST_VERSIONS:
        yield (
            f"The index keeps {facts.versions:,} old states of itself, which fill the disk. Look whether a worker and "
            "the scheduler run; `manage.py upkeep` removes them now."
        )
    expected = rows * (4 * (facts.dimension or 0) + ROW_BYTES)
    if (facts.bytes or 0) > max(SMALL_TABLE, TIMES_EXPECTED * expected):
        yield (
            f"The index takes {size(facts.bytes or 0)} for {rows:,} passages, more than {TIMES_EXPECTED} times what "
            "they need. Run `manage.py upkeep`; if that does not help, `manage.py rebuild`."
        )


def disk(folder: Path | None = None) -> list[str]:
    """Return what is wrong with the disk that the data is on."""
    used = shutil.disk_usage(folder or settings.DATA_DIR)
    if used.free >= FREE_BYTES and used.free >= FREE_SHARE * used.total:
        return []
    words = (
        f"Only {size(used.free)} ({used.free / used.total:.0%}) of the disk with the data are free. Free some space or "
        "enlarge it: when it is full, nothing can be indexed and nothing can be asked."
    )
    return [words]
