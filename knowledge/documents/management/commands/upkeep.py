"""``manage.py upkeep``: compact every index now, and say what that did."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.documents.indexes import alarms, upkeep
from knowledge.documents.models import IndexJob
from knowledge.tenants.models import Tenant

WAIT_SECONDS = 60


class Command(BaseCommand):
    help = "Compact the index of every tenant that was written since the last time. Exit code 1 when that fails."

    def handle(self, *args: Any, **options: Any) -> None:
        upkeep.request_due()
        waiting = list(IndexJob.objects.unfinished().filter(kind=IndexJob.Kind.UPKEEP).order_by("created"))
        if not waiting:
            self.stdout.write("Nothing was written since the last upkeep.")
        names = dict(Tenant.objects.values_list("pk", "slug"))
        failed = 0
        for job in waiting:
            upkeep.run_upkeep(job_id=job.pk)
            self._wait_for_another(job)
            failed += job.state != IndexJob.State.DONE
            self.stdout.write(f"{names[job.tenant_id]}, {job.space}: {self._told(job)}")
        if failed:
            raise CommandError(f"{failed} of {len(waiting)} indexes could not be kept up; see above.")

    def _wait_for_another(self, job: IndexJob) -> None:
        """Read the job anew; one that a worker holds is given the time to end."""
        deadline = time.monotonic() + WAIT_SECONDS
        job.refresh_from_db()
        while job.state == IndexJob.State.RUNNING and time.monotonic() < deadline:
            time.sleep(0.2)
            job.refresh_from_db()

    def _told(self, job: IndexJob) -> str:
        if job.state != IndexJob.State.DONE:
            return job.last_error or "another worker is at it."
        before, after = job.report["before"], job.report["after"]
        parts = [f"{part.get('files') or 0} files, {alarms.size(part.get('bytes') or 0)}" for part in (before, after)]
        return f"{' -> '.join(parts)}; {after.get('rows') or 0} passages, {job.report['seconds']} s."
