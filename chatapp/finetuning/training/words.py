"""What runs say of themselves to people: where they stand, and what to do next."""

from __future__ import annotations

from django.utils import timezone

from chatapp.finetuning.training.models import TrainingRun

__all__ = ["duration", "is_open", "size", "state_of", "time_left"]

STAGES = {
    "loading": "Reading the base model and the rows",
    "training": "Training",
    "saving": "Saving the result",
    "queued": "The provider has it in its queue",
    "running": "The provider trains it",
    "succeeded": "The provider is done",
}
CANCELLED = "Cancelled. What it saved stays: go on with it, or start another one."


def is_open(run: TrainingRun) -> bool:
    return run.state in (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)


def state_of(run: TrainingRun) -> str:
    """Return where a run stands, in a sentence."""
    state = TrainingRun.State
    if run.cancel_requested and is_open(run):
        return "It is being stopped: it ends after its step, and keeps what it saved."
    if run.state == state.QUEUED:
        return _waiting(run)
    if run.state == state.RUNNING:
        return _running(run)
    if run.state == state.FAILED:
        return f"Failed: {run.last_error}"
    if run.state == state.CANCELLED:
        return CANCELLED
    seconds = run.metrics.get("seconds")
    took = f" The last attempt took {duration(seconds)}." if seconds else ""
    return f"Done.{took}"


def _waiting(run: TrainingRun) -> str:
    if run.hosted.get("job"):
        return run.last_error or f"{STAGES.get(run.stage, 'The provider works on it')}. It is asked again and again."
    if run.last_error:
        return f"{run.last_error} It goes on by itself."
    return "Waiting for a worker."


def _running(run: TrainingRun) -> str:
    stage = STAGES.get(run.stage, "Being prepared")
    if run.stage != "training" or not run.max_steps:
        return f"{stage}."
    left = time_left(run)
    return f"{stage}: step {run.step:,} of {run.max_steps:,}{f', about {duration(left)} left' if left else ''}."


def time_left(run: TrainingRun) -> float | None:
    """Return seconds, from the speed of this attempt."""
    if run.state != TrainingRun.State.RUNNING or not run.started or not run.max_steps:
        return None
    done = run.step - (run.resumed_from or 0)
    if done < 3:
        return None
    return (timezone.now() - run.started).total_seconds() / done * (run.max_steps - run.step)


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86400:.1f} days"


def size(number: float | None) -> str:
    """Return bytes as people say them."""
    if number is None:
        return "unknown"
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"
