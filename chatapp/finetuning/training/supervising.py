"""One attempt at a local run: the trainer is started, followed, and ended when it hangs or is not wanted any more."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import suppress

from celery.exceptions import SoftTimeLimitExceeded

from chatapp.finetuning.training import extra, launching, outcomes
from chatapp.finetuning.training.folders import end_left_trainer, forget_rows
from chatapp.finetuning.training.following import Follower
from chatapp.finetuning.training.models import TrainingRun
from knowledge.documents import jobs
from knowledge.errors import KnowledgeError

__all__ = ["run_training"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
ASK_SECONDS = 1.0
"""How often the row is asked whether somebody cancelled the run."""
UNEXPECTED = "Something went wrong while this run was prepared."
NO_EXTRA_HERE = "This worker cannot train: it lacks the extra `train`. Run `make run TRAIN=1` on its machine."


def run_training(*, run_id: uuid.UUID) -> None:
    """Do the run if it is ours to do; record how it ended. Safe to call any number of times."""
    rows = TrainingRun.objects.select_related("tenant", "base", "dataset_version__dataset")
    run = jobs.claim_of(rows.filter(trainer=TrainingRun.Trainer.LOCAL), run_id)
    if run is None:
        return
    with suppress(jobs.LeaseLost):  # cancelled, or another worker's: how it ends is not ours to say
        _attempt(run)


def _attempt(run: TrainingRun) -> None:
    """Do the work, and write down what stopped it.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    if run.cancel_requested:
        outcomes.cancelled(run)
    elif not extra.installed():
        jobs.postpone(run, seconds=60, why=NO_EXTRA_HERE)
    elif outcomes.is_exhausted(run):
        jobs.fail(run, message=outcomes.STOPPED, permanent=True)
    else:
        try:
            with jobs.Heartbeat(run) as heartbeat:
                _train(run, heartbeat)
        except jobs.LeaseLost:
            raise
        except KnowledgeError as error:
            jobs.fail(run, message=error.message, permanent=error.permanent)
        except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
            logger.exception("Run %s failed", run.pk)
            jobs.fail(run, message=UNEXPECTED, permanent=False)


def _train(run: TrainingRun, heartbeat: jobs.Heartbeat) -> None:
    folder = launching.prepare(run)
    end_left_trainer(folder)
    if outcomes.kept_result(run) is not None:
        outcomes.done(run)
        return
    job = launching.job_of(run)
    follower = Follower(run, folder / f"progress-{run.fence}.jsonl")
    trainer = launching.launch(job)
    try:
        _follow(run, follower, trainer, heartbeat)
        _conclude(run, follower, trainer)
    except SoftTimeLimitExceeded:
        logger.info("Run %s goes on in another task", run.pk)
        trainer.ask_to_stop()
        trainer.wait()
        follower.read()
        if jobs.postpone(run, seconds=0):
            outcomes.go_on(run)
    finally:
        trainer.kill()
        _tidy_up(run)


def _tidy_up(run: TrainingRun) -> None:
    """Remove what this attempt wrote, unless another worker's attempt uses it by now."""
    now = TrainingRun.objects.filter(pk=run.pk).values_list("state", "fence").first()
    if now is None or now[1] == run.fence:
        forget_rows(run, checkpoints=now is None or now[0] == TrainingRun.State.DONE)


def _follow(
    run: TrainingRun, follower: Follower, trainer: launching.Trainer, heartbeat: jobs.Heartbeat
) -> None:  # fmt: skip
    """Read along until the trainer has ended.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    asked = 0.0
    while not trainer.ended:
        heartbeat.check()
        follower.read()
        if follower.is_silent:
            logger.error("The trainer of run %s shows no sign of life and is ended", run.pk)
            trainer.kill()
            break
        if time.monotonic() - asked > ASK_SECONDS:
            asked = time.monotonic()
            if jobs.ours(run).filter(cancel_requested=True).exists():
                run.cancel_requested = True
                trainer.ask_to_stop()
                trainer.wait()
                break
        time.sleep(LOOK_SECONDS)
    follower.read()


def _conclude(run: TrainingRun, follower: Follower, trainer: launching.Trainer) -> None:
    """Record how the trainer ended.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    end = follower.end or {}
    if end.get("event") == "done":
        outcomes.done(run)
    elif run.cancel_requested:
        outcomes.cancelled(run)
    elif end.get("event") == "failed":
        outcomes.refused(run, end)
    elif follower.is_silent:
        outcomes.interrupted(run, "no sign of life")
    else:  # killed, crashed, or asked to stop by somebody else: it goes on from its last checkpoint
        outcomes.interrupted(run, trainer.how_it_ended)
