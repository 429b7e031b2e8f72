"""Builds as leased jobs: one piece of their work after the other, and on from there after a stop; then all rows of the
draft are checked."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction

from chatapp.finetuning.datasets import checks, queueing, versions
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.making import Made
from chatapp.finetuning.datasets.models import DatasetVersion
from chatapp.finetuning.datasets.storing import VersionFrozen, prepared, store
from chatapp.finetuning.datasets.taking import work_of
from knowledge.documents import jobs
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor, actor_for

__all__ = ["run_build"]

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong in the middle of it."
STOPPED = "The worker was stopped each time it was at it."
SLOW = "It took longer than a task may."
NOBODY = "Who asked for it may no longer edit here. Start it again as somebody who may."
TOO_LATE = "Version {number} was frozen before this was done. Open a new draft, and start it again there."
MOST_NOTES = 20

MAKING, CHECKING, FREEZING = "making", "checking", "freezing"
"""Stages."""


def run_build(*, build_id: uuid.UUID) -> None:
    """Do the build if it is ours to do; record how it ended. Safe to call any number of times."""
    rows = DatasetBuild.objects.select_related("tenant", "dataset")
    build = jobs.claim_of(rows, build_id)
    if build is None:
        return
    actor = actor_for(user_id=build.requested_by_id or 0, tenant_id=build.tenant_id)
    with suppress(jobs.LeaseLost):  # cancelled, or another worker's: how it ends is not ours to say
        if actor is None or not actor.can_edit:
            _fail(build, NOBODY, permanent=True)
            return
        _attempt(build, actor)
        build.refresh_from_db(fields=["state"])
        if build.state in (build.State.DONE, build.State.FAILED):
            queueing.check_after(build, actor=actor)


def _attempt(build: DatasetBuild, actor: Actor) -> None:
    """Do the work, and write down what stopped it.

    :raises jobs.LeaseLost: the build is no longer ours.
    """
    if build.attempts > settings.JOB_ATTEMPTS and build.done <= build.report.get("done_before", 0):
        _fail(build, STOPPED, permanent=True)
        return
    _change(build, report={**build.report, "done_before": build.done})
    try:
        with jobs.Heartbeat(build) as heartbeat:
            _work(build, actor, heartbeat)
    except jobs.LeaseLost:
        raise
    except SoftTimeLimitExceeded:
        _out_of_time(build)
    except KnowledgeError as error:
        logger.warning("Build %s: %s: %s", build.pk, error.code, error.message)
        _fail(build, error.message, permanent=error.permanent)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Build %s failed", build.pk)
        _fail(build, UNEXPECTED, permanent=False)


def _out_of_time(build: DatasetBuild) -> None:
    """Go on in another task; what did nothing in the time of one has failed once."""
    if build.done > build.report["done_before"]:
        logger.info("Build %s goes on in another task", build.pk)
        jobs.postpone(build, seconds=0)
    else:
        _fail(build, SLOW, permanent=False)


def _fail(build: DatasetBuild, message: str, *, permanent: bool) -> None:
    with transaction.atomic():
        if jobs.fail(build, message=message, permanent=permanent):
            queueing.forget_work(build.pk)


def _work(build: DatasetBuild, actor: Actor, heartbeat: jobs.Heartbeat) -> None:
    version = _version_of(build, actor)
    hold = partial(jobs.hold, build)
    if build.kind == DatasetBuild.Kind.FREEZE:
        if version.state != DatasetVersion.State.FROZEN:  # else it was, and its worker stopped before it could say so
            jobs.show(build, stage=FREEZING, progress=0.0)
            versions.freeze(version, actor, hold=hold)
    elif version.state == DatasetVersion.State.FROZEN:
        raise VersionFrozen(TOO_LATE.format(number=version.number))
    else:
        _add(build, version, actor, heartbeat)
        jobs.show(build, stage=CHECKING, progress=build.progress)
        checks.refresh(version, hold=hold)
    heartbeat.check()
    with transaction.atomic():
        hold()
        queueing.forget_work(build.pk)
        told = {name: value for name, value in build.report.items() if name != "done_before"}
        jobs.finish(build, report={**told, "counts": build.counts, "version": version.number})


def _version_of(build: DatasetBuild, actor: Actor) -> DatasetVersion:
    """Return the version that a build works on: the draft there was when it was asked for, else one that it opens."""
    if pk := build.options.get("version"):
        version = build.dataset.versions.get(pk=pk)
        version.dataset = build.dataset
        return version
    version = versions.open_draft(build.dataset, actor=actor)
    _change(build, options={**build.options, "version": str(version.pk)})
    return version


def _add(build: DatasetBuild, version: DatasetVersion, actor: Actor, heartbeat: jobs.Heartbeat) -> None:
    """Propose the rows of what is left of the work."""
    work = work_of(build, actor=actor, seed=version.seed)
    _change(build, total=work.total, report={**build.report, **work.told})
    while build.done < work.total:
        heartbeat.check()
        _store(build, version, work.take(build.done))
    heartbeat.check()


def _store(build: DatasetBuild, version: DatasetVersion, made: Made) -> None:
    """Store rows together with how far the build is and what it counted: a worker that is killed counts nothing twice.

    :raises jobs.LeaseLost: the build is no longer ours.
    """
    rows = prepared(version, made.proposals)
    done = build.done + made.taken
    notes = list(dict.fromkeys([*build.notes, *made.left_out]))[:MOST_NOTES]
    with transaction.atomic():
        counts = Counter[str](build.counts) + made.counts + store(version, rows)
        counts["left_out"] += len(made.left_out)
        changes: dict[str, Any] = {"done": done, "counts": dict(counts), "notes": notes}
        _change(build, **changes, progress=done / build.total, stage=MAKING)


def _change(build: DatasetBuild, **changes: Any) -> None:
    """:raises jobs.LeaseLost: the build is no longer ours."""
    if not jobs.ours(build).update(**changes):
        raise jobs.LeaseLost
    for name, value in changes.items():
        setattr(build, name, value)
