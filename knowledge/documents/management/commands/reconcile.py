"""``manage.py reconcile``: prove that database, index and files agree."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.documents.indexes.leftovers import leftovers
from knowledge.documents.indexes.reconcile import KINDS, Report, reconcile
from knowledge.tenants.models import Tenant

SHOWN_PLACES = 20
IN_FIRST_LINE = ("missing", "orphans", "folders", "lost")


class Command(BaseCommand):
    help = "Compare the database with the search index and the files of every tenant; --repair makes them agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG")
        parser.add_argument("--repair", action="store_true")
        parser.add_argument("--quick", action="store_true", help="compare keys and names only: no record is read")
        parser.add_argument(
            "--forget", action="append", default=[], metavar="ID",
            help="with --repair: an organisation without a row here whose data in a shared store is nobody else's",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = Tenant.objects.filter(slug=options["tenant"]) if options["tenant"] else Tenant.objects.all()
        if options["tenant"] and not tenants.exists():
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        reports = [self._tenant(tenant, options) for tenant in tenants]
        agrees = all(report.agrees for report in reports)
        lost = [sentence for report in reports for sentence in report.lost]
        if not options["tenant"]:
            agrees = self._installation(options, lost) and agrees
        if not agrees and not options["repair"]:
            raise CommandError("Database, index and files differ: run again with --repair.")
        if lost and options["repair"]:
            raise CommandError("Some differences need a person: see above.")

    def _tenant(self, tenant: Tenant, options: dict[str, Any]) -> Report:
        report = reconcile(tenant=tenant, repair=options["repair"], deep=not options["quick"])
        self.stdout.write(
            f"{report.tenant}: {report.rows} live passages, {report.records} records, "
            f"{len(report.missing)} missing, {len(report.orphans)} orphans, {report.repaired} repaired; "
            f"{len(report.folders)} folders of deleted documents, {report.files} files removed."
        )
        for kind, count in report.differences.items():
            if kind not in IN_FIRST_LINE:
                self.stdout.write(f"  {count} {KINDS[kind]}")
        for place, count in report.places.most_common(SHOWN_PLACES):
            self.stdout.write(f"  {count} in {place}")
        for sentence in report.lost:
            self.stdout.write(f"  {sentence}")
        return report

    def _installation(self, options: dict[str, Any], lost: list[str]) -> bool:
        """Look for what belongs to nobody; return whether there is nothing."""
        found = leftovers(repair=options["repair"], forget=options["forget"])
        for count, words in (
            (len(found.tenants), "organisations that are gone have something in the index"),
            (len(found.folders), "organisations that are gone have files"),
            (len(found.uploads), "uploads were cut off and left files"),
        ):
            if count:
                self.stdout.write(f"{count} {words}.")
        for sentence in found.told:
            self.stdout.write(sentence)
        lost += found.told
        return found.agrees
