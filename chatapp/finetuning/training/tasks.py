"""Thin, idempotent Celery tasks. They carry ids; the rows they name are the truth."""

from __future__ import annotations

import uuid

from celery import shared_task

from chatapp.finetuning.training import hosted, outcomes, supervising


@shared_task
def train(*, job_id: str, **_: object) -> None:
    supervising.run_training(run_id=uuid.UUID(job_id))


@shared_task
def tune(*, job_id: str, **_: object) -> None:
    hosted.run_hosted(run_id=uuid.UUID(job_id))


@shared_task(ignore_result=True)
def finish_all(**_: object) -> None:
    """Register what was trained and is no version yet: its worker ended between the two."""
    outcomes.register_missing()
