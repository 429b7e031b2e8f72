"""Works on index generations as a worker would."""

from __future__ import annotations

from django.utils import timezone

from knowledge.documents.indexes import building
from knowledge.documents.models import IndexJob

FIXED = "fixed:target=200"


def work_on_indexes() -> int:
    """Run every due job on an index, oldest first; return how many there were."""
    due = list(IndexJob.objects.due(now=timezone.now()).order_by("created"))
    for job in due:
        building.run(job_id=job.pk)
    return len(due)
