"""How a run ends: its result is proved and registered, or what stopped it is said in words."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from chatapp.finetuning.artifacts import BadArtifact, digest_of
from chatapp.finetuning.training.folders import folder_of, result_of
from chatapp.finetuning.training.models import TrainingRun
from knowledge.documents import doorbells, jobs
from knowledge.errors import KnowledgeError

__all__ = ["cancelled", "done", "interrupted", "is_exhausted", "kept_result", "refused", "register", "register_missing"]

logger = logging.getLogger(__name__)

STOPPED = "Its worker was stopped each time, without getting further. Look at the log, then go on with it."
REGISTER_DAYS = 7


def kept_result(run: TrainingRun) -> dict[str, Any] | None:
    """Return the record of a result that is whole: an earlier attempt got there and was stopped right after."""
    try:
        record = json.loads((folder_of(run) / "record.json").read_text(encoding="utf-8"))
        if isinstance(record, dict) and record["result"]["digest"] == digest_of(result_of(run)):
            return record
    except (OSError, ValueError, KeyError, TypeError, BadArtifact):
        return None
    return None


def done(run: TrainingRun) -> None:
    """Take the result over, close the run and make a version of it.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    record = kept_result(run)
    if record is None:
        jobs.fail(
            run, message="What came out is damaged. It is trained again from the last checkpoint.", permanent=False
        )
        return
    metrics = record.pop("metrics", {})
    run.metrics, run.record = metrics, record
    if not jobs.ours(run).update(metrics=metrics, record=record, step=metrics.get("steps", run.step)):
        raise jobs.LeaseLost
    jobs.finish(run, report={**run.report, "digest": record["result"]["digest"]})
    register(run)


def register(run: TrainingRun) -> None:
    """Make a version of a run that is done; what stands against it is kept on the run, in words."""
    run.refresh_from_db()
    if run.state != TrainingRun.State.DONE:
        return
    try:
        from chatapp.finetuning.registry.services import register_version

        register_version(run)
        words = ""
    except KnowledgeError as error:
        words = error.message
    except Exception:  # boundary: the run is done whatever the registry says; the next sweep asks it again
        logger.exception("Run %s could not be registered", run.pk)
        words = "The version could not be registered yet. It is tried again."
    if words != run.report.get("register_error", ""):
        TrainingRun.objects.filter(pk=run.pk).update(report={**run.report, "register_error": words})


def register_missing() -> None:
    """Register runs that are done and have no version."""
    since = timezone.now() - timedelta(days=REGISTER_DAYS)
    left = TrainingRun.objects.filter(state=TrainingRun.State.DONE, finished__gt=since, model_version=None)
    for run in left.order_by("finished")[:20]:
        register(run)


def refused(run: TrainingRun, end: dict[str, Any]) -> None:
    """Record what the trainer itself said against going on.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    code, message = str(end.get("code", "")), str(end.get("message", ""))[:2000]
    _note(run, code=code, words=message)
    _start_attempts_anew(run)
    jobs.fail(run, message=message, permanent=bool(end.get("permanent")))


def interrupted(run: TrainingRun, why: str) -> None:
    """Put a run back whose trainer ended without a word; it goes on from its last checkpoint.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    words = f"Interrupted at step {run.step:,} ({why})."
    logger.warning("Run %s: %s", run.pk, words)
    _note(run, code="interrupted", words=words)
    _start_attempts_anew(run)
    if not jobs.fail(run, message=words, permanent=False):
        go_on(run, words=words)


def go_on(run: TrainingRun, *, words: str = "") -> None:
    """Let the next free worker take up a run that waits."""
    waiting = TrainingRun.objects.filter(pk=run.pk, state=TrainingRun.State.QUEUED)
    now = timezone.now()
    changes = {"last_error": words} if words else {}
    if waiting.update(not_before=now, published=now, **changes):
        doorbells.ring(run)


def cancelled(run: TrainingRun) -> None:
    """Close a run that somebody stopped; its checkpoints stay, so that it can go on."""
    changed = jobs.ours(run).update(
        state=TrainingRun.State.CANCELLED, finished=timezone.now(), lease_until=None, last_error=""
    )
    if not changed:
        raise jobs.LeaseLost


def is_exhausted(run: TrainingRun) -> bool:
    """Whether it was taken up too often without getting further; a restart of the worker is nobody's fault."""
    if run.attempts <= settings.JOB_ATTEMPTS:
        return False
    return not _start_attempts_anew(run)


def _start_attempts_anew(run: TrainingRun) -> bool:
    """Count from one again when a new checkpoint was saved since; return whether."""
    saved = int(run.report.get("saved", 0))
    if saved <= int(run.report.get("saved_before", 0)):
        return False
    run.report = {**run.report, "saved_before": saved}
    run.attempts = 1
    jobs.ours(run).update(attempts=1, report=run.report)
    return True


def _note(run: TrainingRun, *, code: str, words: str) -> None:
    """Keep what happened for the run's page."""
    happened = {"step": run.step, "code": code, "words": words, "at": timezone.now().isoformat()}
    run.report = {**run.report, "events": [*run.report.get("events", []), happened][-20:]}
    jobs.ours(run).update(report=run.report)
