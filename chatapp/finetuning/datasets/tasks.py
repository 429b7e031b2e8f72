"""Thin, idempotent Celery tasks. They carry ids; the rows they name are the truth."""

from __future__ import annotations

import uuid

from celery import shared_task

from chatapp.finetuning.datasets import builds


@shared_task
def run_build(*, job_id: str, **_: object) -> None:
    builds.run_build(build_id=uuid.UUID(job_id))
