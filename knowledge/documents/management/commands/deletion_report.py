"""``manage.py deletion-report``: show, hand out and verify what became of a deleted document."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from knowledge.documents.access import as_uuid
from knowledge.documents.deletions import reports, signing
from knowledge.documents.deletions.words import headline
from knowledge.documents.models import DeletionReport


class Command(BaseCommand):
    help = "Show the report of a deleted document; --verify proves that nobody changed it, also in a saved JSON file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("document", metavar="DOCUMENT_ID|FILE", help="the document's id, or a saved report")
        parser.add_argument("--json", action="store_true", help="the report with its signature, as it can be saved")
        parser.add_argument("--verify", action="store_true", help="fail unless its signature is right")

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["document"]
        pk = as_uuid(named)
        if pk is None:
            _verify(*_saved(Path(named)))
            self.stdout.write(f"{named}: the signature is this installation's, and nothing was changed.")
            return
        report = DeletionReport.objects.filter(Q(document_ref=pk) | Q(pk=pk)).first()
        if report is None:
            raise CommandError(f"There is no report of a deletion of {named}.")
        if options["json"]:
            self.stdout.write(json.dumps(signing.handed_out(report), ensure_ascii=False, indent=2))
        else:
            self._tell(report)
        if options["verify"]:
            _verify(signing.facts_of(report), report.signature)
            self.stderr.write("The signature is right.")

    def _tell(self, report: DeletionReport) -> None:
        self.stdout.write(f"{report.name or report.document_ref}: {report.get_state_display()}.")
        if report.error:
            self.stdout.write(report.error)
        for label, value in (("requested", report.requested), ("finished", report.finished), ("purged", report.purged)):
            self.stdout.write(f"  {label}: {value.isoformat() if value else 'not yet'}")
        if report.requested_by or report.reason:
            self.stdout.write(f"  by: {report.requested_by or 'the product itself'} {report.reason}".rstrip())
        for entry in report.places:
            before = "?" if entry["before"] is None else entry["before"]
            after = "not counted yet" if entry["after"] is None else entry["after"]
            self.stdout.write(f"  {entry['name']}: {before} -> {after}. {entry['note']}".rstrip())
        if report.finished is not None:
            left = len(reports.left_of(report))
            said = headline(report) if reports.fading_of(report) else "Nothing is left."
            self.stdout.write(f"  {left} places hold something that must be gone." if left else f"  {said}")


def _saved(path: Path) -> tuple[dict[str, Any], str]:
    try:
        facts = json.loads(path.read_text("utf-8"))
        return facts, facts.pop("signature")
    except OSError as error:
        raise CommandError(f"{path} is neither an id nor a file that can be read.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is no saved report of a deletion.") from error


def _verify(facts: dict[str, Any], signature: str) -> None:
    if not signature:
        raise CommandError("It is not signed yet: that is done when its bytes have left the disk.")
    if not signing.is_signed(facts, signature):
        raise CommandError("The signature is wrong: the report was changed, or another SECRET_KEY signed it.")
