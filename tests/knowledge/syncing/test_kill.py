"""Runs in processes of their own that are killed with signal 9 at any moment."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest
from django.db import connection, connections

from knowledge.documents import files, jobs
from knowledge.documents.models import Document, DocumentVersion, IngestionJob
from knowledge.syncing import runs, services
from knowledge.syncing.models import Source, SourceItem, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = 60


def worker(run: SyncRun) -> int:
    """Do the run in another process and return its id."""
    connection.close()  # or two processes would share one
    child = os.fork()
    if child:
        return child
    try:
        runs.run_sync(run_id=run.pk)
    finally:
        connections.close_all()
        os._exit(0)


def killed(child: int, *, after: float) -> bool:
    """Kill a process unless it ended before; return whether that was needed."""
    until = time.monotonic() + after
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def work_until_done(run: SyncRun) -> int:
    """Begin the run again after each kill, as a worker that starts does; return how many kills there were."""
    kills, chance = 0, random.Random(7)
    for attempt in range(60):
        # Longer each time: a busy machine gets anywhere too.
        kills += killed(worker(run), after=chance.uniform(0.05, 0.4) * 1.1**attempt)
        run.refresh_from_db()
        if run.state not in ("queued", "running"):
            return kills
        jobs.release_leases_of_dead_workers()
    pytest.fail(f"The run did not end: {run.state}, {run.counts}")


def test_a_run_that_is_killed_again_and_again_stores_each_item_once(
    source: Source, shelf: Any, actor: Any, settings: Any
) -> None:
    settings.JOB_ATTEMPTS = 60  # a kill may fall between two items
    shelf.texts |= {f"{n}.md": f"The number is {n}." for n in range(ITEMS)}
    shelf.before_fetch = lambda key: time.sleep(0.01)
    run = services.start_run(source=source, actor=actor)
    kills = work_until_done(run)
    assert (run.state, run.last_error) == ("done", "")
    assert kills >= 3
    assert (run.counts["listed"], run.counts["added"], run.counts["unchanged"]) == (ITEMS, ITEMS, 0)
    assert Document.objects.count() == DocumentVersion.objects.count() == SourceItem.objects.count() == ITEMS
    assert IngestionJob.objects.count() == ITEMS
    for item in SourceItem.objects.select_related("document"):
        version = DocumentVersion.objects.get(document=item.document)
        assert version.sha256 == item.sha256
        assert files.exists(version, files.ORIGINAL)


def test_a_removal_that_is_killed_again_and_again_withdraws_each_document_once(
    source: Source, shelf: Any, actor: Any, sync: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.syncing import items

    settings.JOB_ATTEMPTS = 60
    shelf.texts |= {f"{n}.md": f"The number is {n}." for n in range(ITEMS)}
    sync(source)
    real = items.Doing.withdraw
    monkeypatch.setattr(items.Doing, "withdraw", lambda *given: (time.sleep(0.01), real(*given)))
    run = services.delete_source(source=source, actor=actor, withdraw=True)
    assert run is not None
    kills = work_until_done(run)
    assert (run.state, run.counts["withdrawn"], kills >= 3) == ("done", ITEMS, True)
    assert (Source.objects.count(), SourceItem.objects.count(), Document.objects.alive().count()) == (0, 0, 0)
    assert IngestionJob.objects.filter(kind="delete").count() == ITEMS
