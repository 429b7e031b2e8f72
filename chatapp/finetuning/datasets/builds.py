"""Builds of many rows as a leased job: one piece of work after the other, and on from there after a stop."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from contextlib import suppress
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from chatapp.finetuning.datasets import checks
from chatapp.finetuning.datasets.making import Maker
from chatapp.finetuning.datasets.models import DatasetBuild
from chatapp.finetuning.datasets.storing import propose
from chatapp.finetuning.datasets.versions import open_draft
from knowledge.documents import jobs
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor, actor_for

__all__ = ["run_build"]

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong while these rows were made."
STOPPED = "The worker was stopped each time it made these rows."
NOBODY = "Who asked for it may no longer edit here. Start it again as somebody who may."
MOST_NOTES = 20


def run_build(*, build_id: uuid.UUID) -> None:
    """Do the build if it is ours to do; record how it ended. Safe to call any number of times."""
    rows = DatasetBuild.objects.select_related("tenant", "dataset")
    build = jobs.claim_of(rows, build_id)
    if build is None:
        return
    with suppress(jobs.LeaseLost):  # cancelled, or another worker's: how it ends is not ours to say
        _attempt(build)


def _attempt(build: DatasetBuild) -> None:
    """Do the work, and write down what stopped it.

    :raises jobs.LeaseLost: the build is no longer ours.
    """
    if build.attempts > settings.JOB_ATTEMPTS and build.done <= build.report.get("done_before", 0):
        jobs.fail(build, message=STOPPED, permanent=True)
        return
    jobs.ours(build).update(report={**build.report, "done_before": build.done})
    actor = actor_for(user_id=build.requested_by_id or 0, tenant_id=build.tenant_id)
    if actor is None or not actor.can_edit:
        jobs.fail(build, message=NOBODY, permanent=True)
        return
    try:
        with jobs.Heartbeat(build) as heartbeat:
            _work(build, actor, heartbeat)
    except jobs.LeaseLost:
        raise
    except SoftTimeLimitExceeded:
        logger.info("Build %s goes on in another task", build.pk)
        jobs.postpone(build, seconds=0)
    except KnowledgeError as error:
        logger.warning("Build %s: %s: %s", build.pk, error.code, error.message)
        jobs.fail(build, message=error.message, permanent=error.permanent)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Build %s failed", build.pk)
        jobs.fail(build, message=UNEXPECTED, permanent=False)


def _work(build: DatasetBuild, actor: Actor, heartbeat: jobs.Heartbeat) -> None:
    version = open_draft(build.dataset, actor=actor)
    maker = Maker(build, actor=actor, seed=version.seed)
    counts, notes = Counter[str](build.counts), Counter[str](dict.fromkeys(build.notes, 1))
    while build.done < len(build.work):
        heartbeat.check()
        made = maker.make(build.work[build.done])
        counts += propose(version, made.proposals)
        counts["left_out"] += len(made.left_out)
        notes.update(made.left_out)
        build.done += 1
        _show(build, counts, list(notes)[:MOST_NOTES])
    heartbeat.check()
    checks.refresh(version)
    jobs.ours(build).update(work=[])  # questions and answers stay in the rows alone
    jobs.finish(build, report={"counts": dict(counts), "version": version.number})


def _show(build: DatasetBuild, counts: Counter[str], notes: list[str]) -> None:
    """:raises jobs.LeaseLost: the build is no longer ours."""
    changes: dict[str, Any] = {
        "done": build.done, "counts": dict(counts), "notes": notes, "progress": build.done / len(build.work),
        "stage": "making",
    }  # fmt: skip
    if not jobs.ours(build).update(**changes):
        raise jobs.LeaseLost
