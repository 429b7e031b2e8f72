"""One run of a source, from its claim to its end."""

from __future__ import annotations

import logging
import uuid
from contextlib import suppress

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction

from knowledge.documents import jobs
from knowledge.errors import KnowledgeError
from knowledge.syncing import kinds, run_log
from knowledge.syncing.comparing import Comparison, too_many
from knowledge.syncing.items import Doing, known_items, treatment_of
from knowledge.syncing.models import Source, SyncRun
from knowledge.syncing.tally import Tally
from knowledge.syncing.turns import go_on_later, waits_its_turn

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong while this source was read."
STOPPED = "The worker was stopped each time it read this source."
GONE = "The source was deleted."


def run_sync(*, run_id: uuid.UUID) -> None:
    """Do the run if it is ours to do; record how it ended. Safe to call any number of times."""
    if waits_its_turn(run_id):
        return
    run = jobs.claim_of(SyncRun.objects.select_related("tenant", "source__knowledge_base"), run_id)
    if run is None:
        return
    with suppress(jobs.LeaseLost):  # cancelled, or another worker's: how it ends is not ours to say
        _attempt(run)


def _attempt(run: SyncRun) -> None:
    """Do the work, and write down what stopped it.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    if run.attempts > settings.JOB_ATTEMPTS and not _got_on(run):
        jobs.fail(run, message=STOPPED, permanent=True)
        return
    if run.source is None:
        jobs.fail(run, message=GONE, permanent=True)
        return
    tally = Tally(run)
    try:
        with jobs.Heartbeat(run) as heartbeat:
            if run.kind == SyncRun.Kind.REMOVE:
                _remove(run, run.source, tally, heartbeat)
            else:
                _compare(run, run.source, tally, heartbeat)
    except jobs.LeaseLost:
        raise
    except SoftTimeLimitExceeded:
        logger.info("Run %s of source %s goes on in another task", run.pk, run.source_id)
        go_on_later(run, tally)
    except KnowledgeError as error:
        logger.warning("Source %s: %s: %s", run.source_id, error.code, error.message)
        jobs.fail(run, message=error.message, permanent=error.permanent)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Run %s of source %s failed", run.pk, run.source_id)
        jobs.fail(run, message=UNEXPECTED, permanent=False)


def _got_on(run: SyncRun) -> bool:
    """Whether earlier attempts stored anything since; one that gets on may be stopped as often as workers restart."""
    done = sum(run.counts.get(name, 0) for name in ("added", "changed", "withdrawn"))
    before = run.report.get("done_before", 0)
    if done > before:
        jobs.ours(run).update(report={**run.report, "done_before": done})
    return bool(done > before)


def _compare(run: SyncRun, source: Source, tally: Tally, heartbeat: jobs.Heartbeat) -> None:
    def beat() -> None:
        heartbeat.check()
        tally.moved += 1

    plugin = kinds.plugin_of(source, run=str(run.pk), beat=beat)
    known = known_items(source)
    treat = treatment_of(run, tally)
    comparison = Comparison(plugin, known, treat, tally, heartbeat)
    comparison.run()
    missing = comparison.missing()
    withheld = 0 if run.allow_withdrawals else too_many(missing, known.values())
    if withheld:
        treat.withhold(missing)
    else:
        comparison.withdraw(missing)
    _finish(run, tally, withheld=withheld, report={"complete": plugin.complete})


def _remove(run: SyncRun, source: Source, tally: Tally, heartbeat: jobs.Heartbeat) -> None:
    """Withdraw every document of the source, then the source itself; the run stays as the report of it."""
    treat = Doing(run, tally)
    rows = known_items(source)
    tally.expect(len(rows))
    for known in rows.values():
        heartbeat.check()
        tally.count("listed")
        treat.withdraw(known)
    with transaction.atomic():
        jobs.hold(run)
        pk = source.pk
        source.delete()
        _finish(run, tally, withheld=0, report={"removed": True})
    kinds.forget_work(pk)


@transaction.atomic
def _finish(run: SyncRun, tally: Tally, *, withheld: int, report: dict[str, object]) -> None:
    tally.save(withheld=withheld)
    run_log.blank_erased(run)
    jobs.finish(run, report=report)
