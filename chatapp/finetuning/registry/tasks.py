from __future__ import annotations

import logging

from celery import shared_task

from chatapp.finetuning.registry import gates, watching
from chatapp.finetuning.registry.models import ModelVersion

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def check_version(*, version_id: str, **_: object) -> None:
    """Evaluate a version for its promotion."""
    version = ModelVersion.objects.select_related("run__dataset_version", "language_model", "base").filter(
        pk=version_id
    )
    found = version.first()
    if found is not None:
        gates.check(found)


@shared_task(ignore_result=True)
def watch_versions(**_: object) -> None:
    """Take back what answers worse than what answered before."""
    watching.watch()
