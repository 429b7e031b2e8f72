"""Thin, idempotent Celery tasks. They carry ids; the rows they name are the truth."""

from __future__ import annotations

import uuid

from celery import shared_task

from knowledge.syncing import kinds, runs, services


@shared_task
def run_sync(*, job_id: str, **_: object) -> None:
    runs.run_sync(run_id=uuid.UUID(job_id))


@shared_task(ignore_result=True)
def start_due_syncs(**_: object) -> None:
    services.start_due()
    kinds.forget_lost_work()
