"""``manage.py reconcile``: prove that database, index and files agree."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.documents.reconcile import reconcile
from knowledge.tenants.models import Tenant

SHOWN_PLACES = 20


class Command(BaseCommand):
    help = "Compare the database with the search index and the files of every tenant; --repair makes them agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG")
        parser.add_argument("--repair", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = Tenant.objects.filter(slug=options["tenant"]) if options["tenant"] else Tenant.objects.all()
        if options["tenant"] and not tenants.exists():
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        differences = 0
        for tenant in tenants:
            report = reconcile(tenant=tenant, repair=options["repair"])
            differences += len(report.missing) + len(report.orphans) + len(report.folders)
            self.stdout.write(
                f"{report.tenant}: {report.rows} live passages, {report.records} records, "
                f"{len(report.missing)} missing, {len(report.orphans)} orphans, {report.repaired} repaired; "
                f"{len(report.folders)} folders of deleted documents, {report.files} files removed."
            )
            for place, count in report.places.most_common(SHOWN_PLACES):
                self.stdout.write(f"  {count} in {place}")
        if differences and not options["repair"]:
            raise CommandError("Database, index and files differ: run again with --repair.")
